"""Checks of emailed links: their address and signature, the secret key, and the email backend. No email is sent."""

from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import mail
from django.core.mail.backends import console, dummy, filebased, locmem, smtp
from django.http.request import validate_host
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve
from django.utils.module_loading import import_string

from alguna_portal.api import transport
from alguna_portal.conf import conf
from alguna_portal.conf.addresses import is_loopback
from alguna_portal.links.emails import get_key_from_token, get_link_url
from alguna_portal.models import PortalLink

from .context import DoctorContext
from .report import Finding, Findings, error, format_count, note, ok, skipped, warning

INSECURE_PREFIX = "django-insecure-"  # of the SECRET_KEY that `startproject` creates
MIN_SECRET_LENGTH = 32
DEBUG_HOSTS = [".localhost", "127.0.0.1", "[::1]"]  # Django's, if DEBUG is on and ALLOWED_HOSTS is empty
DEFAULT_SENDER = "webmaster@localhost"  # Django's
SMTP = "django.core.mail.backends.smtp.EmailBackend"
NOT_SENDING = {
    # Before the console backend, which is its base class.
    filebased.EmailBackend: "mails are put into files, and their links with them",
    console.EmailBackend: "mails are printed, and their links with them",
    dummy.EmailBackend: "mails are thrown away",
    locmem.EmailBackend: "mails stay in memory",
}


def check_links(_context: DoctorContext) -> Findings:
    """Check SITE_URL, the signature of a link that is not saved, and the secret key."""
    if not getattr(settings, "ALGUNA_PORTAL_SITE_URL", ""):
        remedy = "Set ALGUNA_PORTAL_SITE_URL to your site's origin, such as https://app.example.com."
        yield note("links.site", "No links can be mailed: ALGUNA_PORTAL_SITE_URL is not set.", remedy)
        return
    yield _check_site(conf.SITE_URL)
    yield _check_signing()
    yield _check_secret_key()


def _check_site(site: str) -> Finding:
    host, name = urlsplit(site).hostname or "", "links.site"
    if is_loopback(host) and not settings.DEBUG:
        found = f"Links begin with {site}, which leads their readers to their own machine."
        return error(name, found, "Set ALGUNA_PORTAL_SITE_URL to the address that they know your site by.")
    allowed = settings.ALLOWED_HOSTS or (DEBUG_HOSTS if settings.DEBUG else [])
    if not validate_host(f"[{host}]" if ":" in host else host, allowed):
        found = f"Links begin with {site}, a host that is not in ALLOWED_HOSTS: they are answered with 400."
        return error(name, found, f"Add “{host}” to ALLOWED_HOSTS, or correct ALGUNA_PORTAL_SITE_URL.")
    return ok(name, f"Links begin with {site}.")


def _check_signing() -> Finding:
    """Create the URL of an unsaved link, then resolve it and verify its signature."""
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
    also = f" Those signed with {format_count(former, 'former key')} still work." if former else ""
    return ok(name, f"Links are signed, and found again.{also}")


def _check_secret_key() -> Finding:
    name, secret = "links.secret", str(settings.SECRET_KEY)
    if not all(settings.SECRET_KEY_FALLBACKS):
        return error(name, "One of SECRET_KEY_FALLBACKS is empty: with it, anybody can sign.", "Remove it.")
    if secret.startswith(INSECURE_PREFIX) or len(secret) < MIN_SECRET_LENGTH:
        found = "SECRET_KEY, which signs links, is one for development, or short enough to be guessed"
        if settings.DEBUG:
            return note(name, f"{found}. For development that will do.")
        remedy = "Make a new one: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
        return warning(name, f"{found}.", remedy)
    return ok(name, "SECRET_KEY is long enough.")


def check_email(context: DoctorContext) -> Findings:
    """Check the email backend, the sender and the login at the server, unless SITE_URL is missing."""
    if not getattr(settings, "ALGUNA_PORTAL_SITE_URL", ""):
        for name in ("mail.backend", "mail.sender", "mail.server"):
            yield skipped(name, "Not looked at: without ALGUNA_PORTAL_SITE_URL no links are mailed.")
        return
    try:
        # From 6.1 on, Django has MAILERS. If it is set, reading EMAIL_BACKEND raises an exception.
        mailers: dict[str, Any] | None = getattr(settings, "MAILERS", None)
        path = str(settings.EMAIL_BACKEND if mailers is None else mailers["default"].get("BACKEND", SMTP))
        # No instance is created, since the file backend would create its folder.
        backend: type[Any] = import_string(path)
    except Exception as exc:  # noqa: BLE001  (importing a module of the project may raise any exception)
        remedy = "Set MAILERS, with a “default” in it." if hasattr(mail, "mailers") else "Check EMAIL_BACKEND."
        yield error("mail.backend", f"There is no mail backend that can be used ({type(exc).__name__}).", remedy)
        return
    yield _check_backend(path, backend)
    yield _check_sender()
    yield _check_server(backend, context)


def _check_backend(path: str, backend: type[Any]) -> Finding:
    name = "mail.backend"
    destination = next((text for kind, text in NOT_SENDING.items() if issubclass(backend, kind)), None)
    if destination is None:
        return ok(name, f"Mails go through {path}.")
    if settings.DEBUG:
        return note(name, f"Nothing is sent: {destination}. For development that will do.")
    remedy = "Set the mail server, in MAILERS or, before Django 6.1, in EMAIL_BACKEND and the settings beside it."
    return warning(name, f"Nothing is sent: {destination}.", remedy)


def _check_sender() -> Finding:
    if DEFAULT_SENDER in settings.DEFAULT_FROM_EMAIL:
        found = f"Mails are from {DEFAULT_SENDER}, which mail servers refuse, and nobody can answer."
        level = note if settings.DEBUG else warning
        return level("mail.sender", found, "Set DEFAULT_FROM_EMAIL to an address of yours.")
    return ok("mail.sender", "Mails have a sender of yours.")


def _check_server(backend: type[Any], context: DoctorContext) -> Finding:
    """Log in to the server. Other backends than SMTP are skipped, since `open()` could do anything."""
    name = "mail.server"
    if not issubclass(backend, smtp.EmailBackend):
        return skipped(name, "Not a mail server: only sending would try it.")
    if context.offline:
        return skipped(name, "The mail server was not asked, since the doctor is offline.")
    timeout = context.get_timeout()

    def connect() -> None:
        connection: Any = mail.mailers.default if hasattr(mail, "mailers") else mail.get_connection()
        with closing(connection):
            connection.timeout = min(connection.timeout or timeout, timeout)
            connection.open()

    try:
        transport.run_within(timeout, connect)
    except Exception as exc:  # noqa: BLE001  (backends raise any exception, with addresses in the text)
        remedy = "Check host, port, TLS, user and password, and that this machine may reach the server."
        return error(name, f"The mail server does not let us in ({type(exc).__name__}).", remedy)
    return ok(name, "The mail server lets us in. Nothing was sent.")
