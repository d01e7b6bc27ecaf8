"""Checks of the settings: system checks, traces of the sandbox, and the backend for background tasks."""

from contextlib import suppress
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from alguna_portal.conf import checks as system_checks
from alguna_portal.conf import conf
from alguna_portal.conf.addresses import is_loopback

from .context import DoctorContext
from .report import Findings, error, note, ok, warning

# The account and cache checks report these in more detail: a missing key, a cache that processes can't share.
IGNORED_IDS = ("alguna_portal.W001", "alguna_portal.W005")
SANDBOX_API_KEY = "sandbox.secret"


def check_settings(_context: DoctorContext) -> Findings:
    """Report each message of the system checks, by its check id."""
    messages = [message for message in system_checks.check_settings() if message.id not in IGNORED_IDS]
    for message in messages:
        level = error if message.level >= checks.ERROR else warning
        yield level(str(message.id).replace("alguna_portal", "settings"), message.msg, message.hint or "")
    if not messages:
        yield ok("settings.valid", "All settings can be read.")


def check_sandbox(_context: DoctorContext) -> Findings:
    """Find traces of the sandbox in the installed apps, the API URL and the API key."""
    traces, url = [], urlsplit(conf.API_URL)
    if apps.is_installed("alguna_portal.sandbox"):
        traces.append("alguna_portal.sandbox is in INSTALLED_APPS")
    with suppress(ImproperlyConfigured):
        if conf.API_KEY in {SANDBOX_API_KEY, getattr(settings, "ALGUNA_SANDBOX_API_KEY", SANDBOX_API_KEY)}:
            traces.append("ALGUNA_PORTAL_API_KEY is the sandbox's")
    if url.path.endswith("/sandbox"):
        traces.append("ALGUNA_PORTAL_API_URL leads to a sandbox")
    elif traces and is_loopback(url.hostname or ""):
        # A loopback address alone may be an outgoing proxy.
        traces.append("ALGUNA_PORTAL_API_URL leads to this very machine")
    found = "; ".join(traces)
    if not traces:
        yield ok("sandbox.off", "No trace of the sandbox.")
    elif settings.DEBUG:
        yield note("sandbox.off", f"The sandbox plays Alguna: {found}. It does not run outside DEBUG.")
    else:
        remedy = "Take it out of INSTALLED_APPS and of the URLs, and set the key and the API URL of your account."
        yield error("sandbox.off", f"The sandbox is left on: {found}.", remedy)


def check_workers(_context: DoctorContext) -> Findings:
    """Check the backend that runs background tasks."""
    name = "workers.backend"
    if not conf.USE_TASKS:
        yield ok(name, "Not used: mails are sent, and customers created, while people wait.")
        return
    # `django.tasks` and its backport have backends with the same names. Without TASKS, they use the immediate backend.
    path = str(getattr(settings, "TASKS", {}).get("default", {}).get("BACKEND", "immediate"))
    remedy = "Name a backend with workers in TASKS."
    if "dummy" in path.lower():
        level = note if settings.DEBUG else warning
        yield level(name, "Tasks go to a dummy, which does nothing: no mail is ever sent.", remedy)
    elif "immediate" in path.lower():
        found = "Tasks are done at once, while people wait: ALGUNA_PORTAL_USE_TASKS has no use."
        yield (ok(name, found) if settings.DEBUG else note(name, found, remedy))
    else:
        yield ok(name, f"Tasks go to a {path.rpartition('.')[2]}. See to it that a worker runs.")
