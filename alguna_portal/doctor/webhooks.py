"""Webhooks: whether Alguna's messages would arrive, be believed, and mean anything."""

from urllib.parse import urlsplit

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from alguna_portal.conf import conf
from alguna_portal.conf.addresses import is_loopback

from .context import Visit
from .probes import Reply, Unreachable, probe
from .report import Finding, Findings, counted, error, named, note, ok, skipped, warning

PREFIX = "whsec_"
FEWEST_BYTES = 16  # Svix makes 24 or more
REDIRECTS = range(300, 400)


def look(visit: Visit) -> Findings:
    """Look at the secrets, at the plans that messages lead to, and at the address that they come to."""
    secrets = conf.WEBHOOK_SECRETS
    if not secrets:
        yield _without_secrets()
        return
    yield _secrets(secrets)
    yield _plan_ids()
    yield from _address(visit)


def _without_secrets() -> Finding:
    found = "No webhooks: ALGUNA_PORTAL_WEBHOOK_SECRETS is empty, and what changes in Alguna is not noticed."
    remedy = "Add an endpoint in Alguna's dashboard, and its signing secret, whsec_…, to the setting."
    if conf.PLAN_IDS:
        found += " Plans follow only when alguna_sync is run."
    return note("webhooks.secrets", found, remedy)


def _secrets(secrets: list[str]) -> Finding:
    """Look for secrets that are too short; what is no secret at all, the settings do not let pass."""
    short = [str(number) for number, secret in enumerate(secrets, 1) if _length(secret) < FEWEST_BYTES]
    if short:
        many = counted(len(short), "entry", "entries")
        found = f"{many} of ALGUNA_PORTAL_WEBHOOK_SECRETS too short to be one of Alguna's (no. {named(short)})."
        return error("webhooks.secrets", found, "Copy the whole signing secret from Alguna: whsec_ and base64.")
    return ok("webhooks.secrets", f"{counted(len(secrets), 'signing secret')}, of the right form.")


def _length(secret: str) -> int:
    encoded = secret.removeprefix(PREFIX).rstrip("=")
    return len(encoded) * 3 // 4


def _plan_ids() -> Finding:
    name, plan_ids = "webhooks.plan_ids", conf.PLAN_IDS
    if not plan_ids:
        found = "ALGUNA_PORTAL_PLAN_IDS is empty: messages about subscriptions change no customer's plan."
        return warning(name, found, "Say which plan of yours each of Alguna's plan ids means.")
    if left := sorted(conf.PLANS.keys() - set(plan_ids.values())):
        found = f"No plan id of Alguna's leads to {named([f'“{plan}”' for plan in left])}."
        return note(name, found, "Add it to ALGUNA_PORTAL_PLAN_IDS, unless customers never come to it in Alguna.")
    return ok(name, "Every plan has an id of Alguna's.")


def _address(visit: Visit) -> Findings:
    name = "webhooks.address"
    try:
        path = reverse("alguna_portal:webhook")
    except NoReverseMatch:
        remedy = 'Put path("billing/", include("alguna_portal.urls")) into your URLs.'
        yield error(name, "There is no address for webhooks: alguna_portal.urls is not in your URLs.", remedy)
        return
    if not getattr(settings, "ALGUNA_PORTAL_SITE_URL", ""):
        yield skipped(name, f"{path} was not asked, since ALGUNA_PORTAL_SITE_URL does not say where it is.")
        return
    url = conf.SITE_URL + path
    if is_loopback(urlsplit(url).hostname or ""):
        yield note(name, f"{url} is on this very machine, where Alguna cannot reach it.")
    elif visit.offline:
        yield skipped(name, f"{url} was not asked, since the doctor is offline.")
    else:
        yield _asked(url, visit)


def _asked(url: str, visit: Visit) -> Finding:
    """Ask as Alguna would, unsigned, which a right endpoint refuses before it does anything."""
    name = "webhooks.address"
    try:
        got = probe("GET", url, within=visit.seconds())
        posted = probe("POST", url, within=visit.seconds(), json={}) if got.status == 405 else got
    except Unreachable as exc:
        found = f"{url} was asked from here, and {exc}."
        return warning(name, found, "See to it that Alguna reaches it from outside: DNS, certificate, firewall.")
    if got.status == 405 and posted.status == 400:
        return ok(name, f"{url} is there, and refuses what is not signed.")
    return _not_ours(name, url, got, posted)


def _not_ours(name: str, url: str, got: Reply, posted: Reply) -> Finding:
    """Say who answers in place of our view."""
    status = posted.status
    if status in REDIRECTS:
        found = f"{url} redirects to {posted.leads_to or 'nowhere'}, and who sends webhooks does not follow."
        return error(name, found, "Let the address itself answer: no login, no other host, no other scheme.")
    if status in {401, 403}:
        remedy = "Let Alguna through: a firewall, a login or a CSRF check stands before it."
        return error(name, f"{url} answers {status} before our view is asked.", remedy)
    if status == 404:
        remedy = "Deploy the URLs and the webhook secret there, and check ALGUNA_PORTAL_SITE_URL."
        return error(name, f"{url} answers 404: without a secret, or where we are not, there is nothing.", remedy)
    if got.status == 405 and 200 <= status < 300:
        found = f"{url} answers {status} to a message that nobody signed."
        return error(name, found, "Something else takes messages there: let it lead to alguna_portal.urls.")
    return error(name, f"{url} answers {status}, which is not our view's answer.", "Look at what stands there.")
