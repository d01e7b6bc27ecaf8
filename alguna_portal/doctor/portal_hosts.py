"""Checks of `ALGUNA_PORTAL_URL_HOSTS`, the hosts that users may be redirected to. No portal session is created."""

from urllib.parse import urlsplit

from django.conf import settings

from alguna_portal.api.portal_url import is_listed_host
from alguna_portal.conf import conf
from alguna_portal.conf.addresses import is_loopback

from .context import DoctorContext, OutOfTime
from .probes import NO_CERTIFICATE, NO_SUCH_NAME, Unreachable, send_probe
from .report import Finding, Findings, error, format_count, format_list, note, ok, skipped, warning

ALGUNA_HOSTS = ["alguna.io", ".alguna.io", "alguna.app", ".alguna.app", "alguna.site", ".alguna.site"]
# Anyone can register a name below these, as in .co.uk. The list has the most common ones, not all.
SECOND_LEVELS = {"ac", "co", "com", "edu", "gov", "net", "or", "org"}
MAX_PROBES = 5


def check_portal_hosts(context: DoctorContext) -> Findings:
    """Check the list of hosts, then send a request to each domain of the company."""
    hosts = conf.URL_HOSTS
    problems = list(_find_problems(hosts))
    yield from problems
    if not problems:
        yield ok("hosts.list", f"Users may be sent to {format_list(hosts, limit=8)}.")
    own = [host for host in hosts if not (is_loopback(host) or is_listed_host(host, ALGUNA_HOSTS) or _is_wide(host))]
    for host in own[:MAX_PROBES]:
        yield _check_own_host(host, context)
    if len(own) > MAX_PROBES:
        yield skipped("hosts.own", f"{format_count(len(own) - MAX_PROBES, 'further domain')} not looked at.")


def _find_problems(hosts: list[str]) -> Findings:
    setting = "ALGUNA_PORTAL_URL_HOSTS"
    if not hosts:
        remedy = "Leave it out, or add your portal's domain."
        yield error("hosts.list", f"{setting} is empty: no portal can be opened.", remedy)
    if wide := [host for host in hosts if _is_wide(host)]:
        found = f"{setting} lets users be sent to sites that anybody can have: {format_list(wide)}."
        yield error("hosts.wide", found, "Name your portal's domain alone, such as billing.example.com.")
    if (local := [host for host in hosts if is_loopback(host)]) and not settings.DEBUG:
        found = f"{setting} holds {format_list(local)}, which is each user's own machine."
        yield warning("hosts.local", found, "Take it out: it is for development.")
    api_host = urlsplit(conf.API_URL).hostname or ""
    if settings.DEBUG and is_loopback(api_host) and not is_listed_host(api_host, hosts):
        found = f"The sandbox's portal is at {api_host}, which is not in {setting}: it is refused."
        yield warning("hosts.local", found, f"Add “{api_host}”.")


def _is_wide(host: str) -> bool:
    """Return whether a host allows all subdomains of a domain below which anyone can register a name."""
    prefix, *labels = host.split(".")
    is_second_level = len(labels) == 2 and labels[0] in SECOND_LEVELS and len(labels[1]) == 2
    return prefix == "" and (len(labels) == 1 or is_second_level)


def _check_own_host(host: str, context: DoctorContext) -> Finding:
    """Send a request as a browser would. Any status is accepted, but the certificate has to be valid."""
    name = "hosts.own"
    if host.startswith("."):
        found = f"Every subdomain of {host.removeprefix('.')} is allowed; which of them is the portal's, nobody says."
        return note(name, found, "If there is one, name it alone.")
    if context.offline:
        return skipped(name, f"{host} was not asked, since the doctor is offline.")
    try:
        send_probe("GET", f"https://{host}/", within=context.get_timeout())
    except OutOfTime:
        return skipped(name, f"{host} was not asked: there was no time left.")
    except Unreachable as exc:
        found = f"{host} was asked over HTTPS, and {exc}."
        remedy = "If it is your portal's domain, follow Alguna's instructions for it: a CNAME, and their certificate."
        return (error if str(exc) in {NO_CERTIFICATE, NO_SUCH_NAME} else warning)(name, found, remedy)
    return ok(name, f"{host} answers over HTTPS.")
