"""The sandbox, left on."""

from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from alguna_portal.conf import conf
from alguna_portal.conf.addresses import is_loopback

from .context import Visit
from .report import Findings, error, note, ok

DEFAULT_KEY = "sandbox.secret"


def look(visit: Visit) -> Findings:
    """Look for the sandbox in the apps, the API's address and the key."""
    traces, url = [], urlsplit(conf.API_URL)
    if apps.is_installed("alguna_portal.sandbox"):
        traces.append("alguna_portal.sandbox is in INSTALLED_APPS")
    if _has_its_key():
        traces.append("ALGUNA_PORTAL_API_KEY is the sandbox's")
    if url.path.endswith("/sandbox"):
        traces.append("ALGUNA_PORTAL_API_URL leads to a sandbox")
    elif traces and is_loopback(url.hostname or ""):
        # By itself that may be a proxy, through which alone the machine reaches others.
        traces.append("ALGUNA_PORTAL_API_URL leads to this very machine")
    said = "; ".join(traces)
    if not traces:
        yield ok("sandbox.off", "No trace of the sandbox.")
    elif visit.debug:
        yield note("sandbox.off", f"The sandbox plays Alguna: {said}. It does not run outside DEBUG.")
    else:
        remedy = "Take it out of INSTALLED_APPS and of the URLs, and set the key and the API URL of your account."
        yield error("sandbox.off", f"The sandbox is left on: {said}.", remedy)


def _has_its_key() -> bool:
    try:
        return conf.API_KEY in {DEFAULT_KEY, getattr(settings, "ALGUNA_SANDBOX_API_KEY", DEFAULT_KEY)}
    except ImproperlyConfigured:
        return False
