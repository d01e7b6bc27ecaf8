"""Links by mail: whether one can be written, read again, and reached."""

from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http.request import validate_host
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve

from alguna_portal.conf import conf
from alguna_portal.conf.addresses import is_loopback
from alguna_portal.links.emails import get_key_from_token, get_link_url
from alguna_portal.models import PortalLink

from .context import Visit
from .report import Finding, Findings, counted, error, note, ok, warning

INSECURE = "django-insecure-"  # what `startproject` begins its SECRET_KEY with
SHORTEST_SECRET = 32
# Django's own, where DEBUG is on and none are set.
DEBUG_HOSTS = [".localhost", "127.0.0.1", "[::1]"]


def look(visit: Visit) -> Findings:
    """Look at the address that links begin with, then write a link and read it, and store none."""
    try:
        site = conf.SITE_URL
    except ImproperlyConfigured:
        if getattr(settings, "ALGUNA_PORTAL_SITE_URL", ""):
            raise
        remedy = "Set ALGUNA_PORTAL_SITE_URL to your site's origin, such as https://app.example.com."
        yield note("links.site", "No links can be mailed: ALGUNA_PORTAL_SITE_URL is not set.", remedy)
        return
    yield _site(site, visit)
    yield _signing()
    yield _secret(visit)


def _site(site: str, visit: Visit) -> Finding:
    host, name = urlsplit(site).hostname or "", "links.site"
    if is_loopback(host) and not visit.debug:
        found = f"Links begin with {site}, which leads their readers to their own machine."
        return error(name, found, "Set ALGUNA_PORTAL_SITE_URL to the address that they know your site by.")
    allowed = settings.ALLOWED_HOSTS or (DEBUG_HOSTS if visit.debug else [])
    if not validate_host(f"[{host}]" if ":" in host else host, allowed):
        found = f"Links begin with {site}, a host that is not in ALLOWED_HOSTS: they are answered with 400."
        return error(name, found, f"Add “{host}” to ALLOWED_HOSTS, or correct ALGUNA_PORTAL_SITE_URL.")
    return ok(name, f"Links begin with {site}.")


def _signing() -> Finding:
    """Write the address of a link that is nobody's, and find it by its address."""
    link, name = PortalLink(), "links.signing"
    remedy = 'Put path("billing/", include("alguna_portal.urls")) into your URLs, above what takes all paths.'
    try:
        path = urlsplit(get_link_url(link)).path
    except NoReverseMatch:
        return error(name, "Links have no address: alguna_portal.urls is not in your URLs.", remedy)
    try:
        match = resolve("/" + path.removeprefix(get_script_prefix()))
    except Resolver404:
        return error(name, "The address of a link leads nowhere.", remedy)
    if match.view_name != "alguna_portal:link":
        return error(name, f"The address of a link leads to the view “{match.view_name}”.", remedy)
    if get_key_from_token(match.kwargs["token"]) != link.key.hex:
        return error(name, "The signature of a link is not accepted again.", "Check SECRET_KEY: is it a fixed text?")
    former = len(settings.SECRET_KEY_FALLBACKS)
    also = f" Those signed with {counted(former, 'former key')} still work." if former else ""
    return ok(name, f"Links are signed, and found again.{also}")


def _secret(visit: Visit) -> Finding:
    name, secret = "links.secret", str(settings.SECRET_KEY)
    if not all(settings.SECRET_KEY_FALLBACKS):
        found = "One of SECRET_KEY_FALLBACKS is empty: with it, anybody can sign."
        return error(name, found, "Remove it.")
    if secret.startswith(INSECURE) or len(secret) < SHORTEST_SECRET:
        found = "SECRET_KEY, which signs links, is one for development, or short enough to be guessed"
        if visit.debug:
            return note(name, f"{found}. For development that will do.")
        remedy = "Make a new one: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
        return warning(name, f"{found}.", remedy)
    return ok(name, "SECRET_KEY is long enough.")
