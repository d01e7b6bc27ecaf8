"""Checks of webhooks: signing secrets, plan ids, and the address of the endpoint."""

from urllib.parse import urlsplit

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from alguna_portal.conf import conf
from alguna_portal.conf.addresses import is_loopback

from .context import DoctorContext
from .probes import ProbeResponse, Unreachable, send_probe
from .report import Finding, Findings, error, format_count, format_list, note, ok, skipped, warning

MIN_SECRET_BYTES = 16  # Svix creates 24 or more


def check_webhooks(context: DoctorContext) -> Findings:
    """Check the signing secrets, the plan ids and the address, if webhooks are used."""
    secrets = conf.WEBHOOK_SECRETS
    if secrets:
        yield _check_secrets(secrets)
        yield _check_plan_ids()
        yield _check_address(context)
        return
    found = "No webhooks: ALGUNA_PORTAL_WEBHOOK_SECRETS is empty, and what changes in Alguna is not noticed."
    remedy = "Add an endpoint in Alguna's dashboard, and its signing secret, whsec_…, to the setting."
    if conf.PLAN_IDS:
        found += " Plans follow only when alguna_sync is run."
    yield note("webhooks.secrets", found, remedy)


def _check_secrets(secrets: list[str]) -> Finding:
    """Find secrets that are too short. The settings reject other invalid secrets."""
    encoded = [secret.removeprefix("whsec_").rstrip("=") for secret in secrets]
    short = [str(number) for number, each in enumerate(encoded, 1) if len(each) * 3 // 4 < MIN_SECRET_BYTES]
    if short:
        many = format_count(len(short), "entry", "entries")
        found = f"{many} of ALGUNA_PORTAL_WEBHOOK_SECRETS too short to be one of Alguna's (no. {format_list(short)})."
        return error("webhooks.secrets", found, "Copy the whole signing secret from Alguna: whsec_ and base64.")
    return ok("webhooks.secrets", f"{format_count(len(secrets), 'signing secret')}, of the right form.")


def _check_plan_ids() -> Finding:
    name, plan_ids = "webhooks.plan_ids", conf.PLAN_IDS
    if not plan_ids:
        found = "ALGUNA_PORTAL_PLAN_IDS is empty: messages about subscriptions change no customer's plan."
        return warning(name, found, "Say which plan of yours each of Alguna's plan ids means.")
    if left := sorted(conf.PLANS.keys() - set(plan_ids.values())):
        found = f"No plan id of Alguna's leads to {format_list([f'“{plan}”' for plan in left])}."
        return note(name, found, "Add it to ALGUNA_PORTAL_PLAN_IDS, unless customers never come to it in Alguna.")
    return ok(name, "Every plan has an id of Alguna's.")


def _check_address(context: DoctorContext) -> Finding:
    name = "webhooks.address"
    try:
        path = reverse("alguna_portal:webhook")
    except NoReverseMatch:
        remedy = 'Put path("billing/", include("alguna_portal.urls")) into your URLs.'
        return error(name, "There is no address for webhooks: alguna_portal.urls is not in your URLs.", remedy)
    if not getattr(settings, "ALGUNA_PORTAL_SITE_URL", ""):
        return skipped(name, f"{path} was not asked, since ALGUNA_PORTAL_SITE_URL does not say where it is.")
    url = conf.SITE_URL + path
    if is_loopback(urlsplit(url).hostname or ""):
        return note(name, f"{url} is on this very machine, where Alguna cannot reach it.")
    if context.offline:
        return skipped(name, f"{url} was not asked, since the doctor is offline.")
    try:
        # The message isn't signed. Our view returns 405 for GET, and 400 for POST before it does anything else.
        get = send_probe("GET", url, within=context.get_timeout())
        post = send_probe("POST", url, within=context.get_timeout(), json={}) if get.status == 405 else get
    except Unreachable as exc:
        found = f"{url} was asked from here, and {exc}."
        return warning(name, found, "See to it that Alguna reaches it from outside: DNS, certificate, firewall.")
    if get.status == 405 and post.status == 400:
        return ok(name, f"{url} is there, and refuses what is not signed.")
    return _get_response_error(name, url, get, post)


def _get_response_error(name: str, url: str, get: ProbeResponse, post: ProbeResponse) -> Finding:
    """Return the error for responses that are not from our view."""
    status = post.status
    if 300 <= status < 400:
        found = f"{url} redirects to {post.location or 'nowhere'}, and who sends webhooks does not follow."
        return error(name, found, "Let the address itself answer: no login, no other host, no other scheme.")
    if status in {401, 403}:
        remedy = "Let Alguna through: a firewall, a login or a CSRF check stands before it."
        return error(name, f"{url} answers {status} before our view is asked.", remedy)
    if status == 404:
        remedy = "Deploy the URLs and the webhook secret there, and check ALGUNA_PORTAL_SITE_URL."
        return error(name, f"{url} answers 404: without a secret, or where we are not, there is nothing.", remedy)
    if get.status == 405 and 200 <= status < 300:
        found = f"{url} answers {status} to a message that nobody signed."
        return error(name, found, "Something else takes messages there: let it lead to alguna_portal.urls.")
    return error(name, f"{url} answers {status}, which is not our view's answer.", "Look at what stands there.")
