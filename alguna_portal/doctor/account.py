"""Checks of the Alguna account: API key, environment, API version, and clock skew."""

from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from alguna_portal.conf import conf
from alguna_portal.conf.addresses import is_loopback
from alguna_portal.exceptions import AlgunaRefused, AlgunaUnavailable, AuthenticationFailed
from alguna_portal.portal_settings import LEGACY_API_VERSION

from .context import DoctorContext
from .report import Finding, Findings, error, ok, skipped, warning

PRODUCTION, SANDBOX = "api.alguna.io", "api.sandbox.alguna.io"
NO_PROXY = f"If that is no proxy of yours, ALGUNA_PORTAL_API_URL should be https://{PRODUCTION}."
# In seconds. Webhooks are rejected from five minutes on. Sessions don't depend on the clocks.
WARNING_SKEW, ERROR_SKEW = 60, 240


def check_account(context: DoctorContext) -> Findings:
    """Check the API key and its environment, and request one customer with it."""
    try:
        _ = conf.API_KEY
    except ImproperlyConfigured as exc:
        yield error("key.set", "There is no API key that can be used.", str(exc))
        return
    yield _check_environment()
    if context.offline:
        yield skipped("key.works", "Alguna was not asked, since the doctor is offline.")
        return
    yield from _check_api(context)
    yield _check_clock(context.client.clock_offset)


def _check_environment() -> Finding:
    """Compare the API URL with DEBUG. The key is not sent to any other URL to find its environment."""
    host, name = urlsplit(conf.API_URL).hostname or "", "key.environment"
    if is_loopback(host):
        if settings.DEBUG:
            return ok(name, f"Asks {conf.API_URL}, on this very machine: the app's sandbox, or one like it.")
        return warning(name, f"Asks {conf.API_URL}, on this very machine; the key goes there.", NO_PROXY)
    if host == PRODUCTION:
        found = "Asks Alguna's production API: customers and their bills are real"
        if settings.DEBUG:
            remedy = "For development, take the sandbox, or a key and the API URL of Alguna's sandbox."
            return warning(name, f"{found}, and DEBUG is on.", remedy)
        return ok(name, f"{found}.")
    if host == SANDBOX:
        found = "Asks the API of Alguna's sandbox"
        if settings.DEBUG:
            return ok(name, f"{found}, which has keys and customers of its own.")
        remedy = "Right for staging. In production, remove ALGUNA_PORTAL_API_URL, and set a key of production."
        return warning(name, f"{found}, and DEBUG is off: customers would see test data.", remedy)
    return warning(name, f"Asks {host}, which is none of Alguna's hosts; the key goes there.", NO_PROXY)


def _check_api(context: DoctorContext) -> Findings:
    """Report the result of the first API call, for the key and for the API version."""
    failure, version = context.api_error, conf.API_VERSION
    if failure is None:
        yield ok("key.works", "Alguna accepts the key.")
    elif isinstance(failure, AuthenticationFailed) and failure.status == 403:
        remedy = "Give the key the right to read customers. Portals may open without it; provisioning does not work."
        yield error("key.works", f"The key may not read customers. {failure}", remedy)
    elif isinstance(failure, AuthenticationFailed):
        remedy = (
            "Set ALGUNA_PORTAL_API_KEY to a key that is in force, of the account behind ALGUNA_PORTAL_API_URL: keys of "
            "production and of Alguna's sandbox do not work for each other."
        )
        yield error("key.works", "Alguna refuses the key (401).", remedy)
    elif isinstance(failure, AlgunaUnavailable):
        yield error("key.works", "Alguna could not be asked.", str(failure))
    elif version == LEGACY_API_VERSION:
        found = "The key could not be tried: only making a session would, since the earlier API may know no customers."
        yield skipped("key.works", found)
    elif isinstance(failure, AlgunaRefused):
        remedy = "Look at ALGUNA_PORTAL_API_VERSION, and whether there is a newer alguna_portal."
        yield error("api.version", f"Alguna does not accept a call of version {version}. {failure}", remedy)
    else:
        yield error("key.works", "What answers is not Alguna's API.", str(failure))
    if version == LEGACY_API_VERSION:
        yield skipped("api.version", "The earlier API has no version, and only making a session would try it.")
    elif failure is None:
        yield ok("api.version", f"Version {version} is accepted.")


def _check_clock(offset: float | None) -> Finding:
    name = "clock.skew"
    if offset is None:
        return skipped(name, "There was no answer with a time in it to compare our clock with.")
    skew = abs(offset)
    if skew <= WARNING_SKEW:
        return ok(name, f"Our clock and Alguna's are {'less than a second' if skew < 1 else f'{skew:.0f} s'} apart.")
    found = f"Our clock is {skew:,.0f} s {'ahead of' if offset > 0 else 'behind'} Alguna's."
    remedy = "Let the machine keep time (NTP). Webhooks that seem five minutes old, or from the future, are refused."
    return (error if skew > ERROR_SKEW else warning)(name, found, remedy)
