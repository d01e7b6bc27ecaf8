"""The hosts that users may be sent to. No session is made to find out: that would be a write at Alguna."""

from urllib.parse import urlsplit

from alguna_portal.conf import conf
from alguna_portal.conf.addresses import is_listed_host, is_loopback

from .context import OutOfTime, Visit
from .probes import NO_CERTIFICATE, NO_SUCH_NAME, Unreachable, canonical_name, probe
from .report import Finding, Findings, counted, error, named, note, ok, skipped, warning

ALGUNAS = ["alguna.io", ".alguna.io", "alguna.app", ".alguna.app", "alguna.site", ".alguna.site"]
# Below these, as in .co.uk, everybody can have a name. The list of all such is long; these are most of those met.
SECOND_LEVELS = {"ac", "co", "com", "edu", "gov", "net", "or", "org"}
MOST_PROBED = 5


def look(visit: Visit) -> Findings:
    """Judge the list, then ask each domain of the company's own."""
    listed = conf.URL_HOSTS
    problems = list(_problems(listed, visit))
    yield from problems
    if not problems:
        yield ok("hosts.list", f"Users may be sent to {named(listed, most=8)}.")
    own = [host for host in listed if not (is_loopback(host) or is_listed_host(host, ALGUNAS) or _is_too_wide(host))]
    for host in own[:MOST_PROBED]:
        yield _own(host, visit)
    if len(own) > MOST_PROBED:
        yield skipped("hosts.own", f"{counted(len(own) - MOST_PROBED, 'further domain')} not looked at.")


def _problems(listed: list[str], visit: Visit) -> Findings:
    setting = "ALGUNA_PORTAL_URL_HOSTS"
    if not listed:
        remedy = "Leave it out, or add your portal's domain."
        yield error("hosts.list", f"{setting} is empty: no portal can be opened.", remedy)
    if wide := [host for host in listed if _is_too_wide(host)]:
        found = f"{setting} lets users be sent to sites that anybody can have: {named(wide)}."
        yield error("hosts.wide", found, "Name your portal's domain alone, such as billing.example.com.")
    if (local := [host for host in listed if is_loopback(host)]) and not visit.debug:
        found = f"{setting} holds {named(local)}, which is each user's own machine."
        yield warning("hosts.local", found, "Take it out: it is for development.")
    here = urlsplit(conf.API_URL).hostname or ""
    if visit.debug and is_loopback(here) and not is_listed_host(here, listed):
        found = f"The sandbox's portal is at {here}, which is not in {setting}: it is refused."
        yield warning("hosts.local", found, f"Add “{here}”.")


def _is_too_wide(host: str) -> bool:
    labels = host.removeprefix(".").split(".")
    if not host.startswith("."):
        return False
    return len(labels) == 1 or (len(labels) == 2 and len(labels[1]) == 2 and labels[0] in SECOND_LEVELS)


def _own(host: str, visit: Visit) -> Finding:
    """Ask a domain as a browser would; whoever answers, its certificate has to be right."""
    name = "hosts.own"
    if host.startswith("."):
        found = f"Every subdomain of {host.removeprefix('.')} is allowed; which of them is the portal's, nobody says."
        return note(name, found, "If there is one, name it alone.")
    if visit.offline:
        return skipped(name, f"{host} was not asked, since the doctor is offline.")
    try:
        probe("GET", f"https://{host}/", within=visit.seconds())
        leads_to = canonical_name(host, within=visit.seconds())
    except OutOfTime:
        return skipped(name, f"{host} was not asked: there was no time left.")
    except Unreachable as exc:
        found = f"{host} was asked over HTTPS, and {exc}."
        remedy = "If it is your portal's domain, follow Alguna's instructions for it: a CNAME, and their certificate."
        return (error if str(exc) in {NO_CERTIFICATE, NO_SUCH_NAME} else warning)(name, found, remedy)
    return ok(name, f"{host} answers over HTTPS{f' (a CNAME of {leads_to})' if leads_to else ''}.")
