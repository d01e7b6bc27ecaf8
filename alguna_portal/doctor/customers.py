"""Customers that Alguna does not know, or knows as somebody else."""

from collections import defaultdict
from dataclasses import dataclass, field
from time import sleep

from alguna_portal.conf import conf
from alguna_portal.exceptions import AlgunaError, AlgunaUnavailable, AuthenticationFailed
from alguna_portal.models import Customer

from .directory import Directory, Whereabouts
from .findings import Findings, counted, error, named, note, ok, skipped, warning
from .visit import OutOfTime, Visit

SAMPLE = 100
FAILURES = 3  # in a row, and no more is asked
LONGEST_WAIT = 2.0  # seconds, after a 429
CALL_SECONDS = 8.0


@dataclass(kw_only=True)
class Tally:
    """Who was where, and how far it came."""

    keys: dict[Whereabouts, list[str]] = field(default_factory=lambda: defaultdict(list))
    without_id: list[str] = field(default_factory=list)  # of those nowhere, who never had one stored
    gone: list[str] = field(default_factory=list)  # and who had
    looked_at: int = 0
    stopped: str = ""


def look(visit: Visit) -> Findings:
    """Count those without an id, then look the newest up."""
    if not visit.has_tables:
        yield skipped("customers.known", "The rows were not read, since tables are missing.")
        return
    rows = Customer.objects.using(visit.using)
    total = rows.count()
    if not total:
        yield ok("customers.known", "There are no customers here yet.")
        return
    if without := rows.filter(customer_id=None).count():
        found = (
            f"{without:,} of {counted(total, 'customer')} without an id of Alguna's, by which strangers are noticed."
        )
        yield note("customers.ids", found, "Run manage.py alguna_provision: it finds them by alias, or creates them.")
    else:
        yield ok("customers.ids", "All customers have their id of Alguna's.")
    if visit.offline:
        yield skipped("customers.known", "Nobody was looked up, since the doctor is offline.")
    elif visit.account.failure:
        yield skipped("customers.known", "Nobody was looked up, since Alguna could not be asked.")
    else:
        yield from _looked_up(_go_through(visit, total), total)


def _go_through(visit: Visit, total: int) -> Tally:
    rows = Customer.objects.using(visit.using).only("alias", "customer_id").order_by("-pk")
    wanted = total if visit.everyone else min(total, SAMPLE)

    def seconds() -> float:
        # Of everybody, each call has its time, and all of them together have none.
        return CALL_SECONDS if visit.everyone else visit.seconds(CALL_SECONDS)

    directory, tally, failures = Directory(account=visit.account, seconds=seconds), Tally(), 0
    try:
        directory.read(wanted)
        for customer in rows[:wanted].iterator():
            try:
                where = directory.whereabouts(customer)
            except AlgunaUnavailable as exc:
                failures += 1
                if failures == FAILURES:
                    raise
                sleep(min(exc.retry_after or 0.0, LONGEST_WAIT, seconds()))
                continue
            failures = 0
            tally.looked_at += 1
            tally.keys[where].append(str(customer.pk))
            if where is Whereabouts.NOWHERE:
                (tally.gone if customer.customer_id else tally.without_id).append(str(customer.pk))
    except OutOfTime:
        tally.stopped = "there was no time left"
    except AuthenticationFailed:
        tally.stopped = "the key may not read them"
    except AlgunaError as exc:
        tally.stopped = f"Alguna failed ({type(exc).__name__})"
    return tally


def _looked_up(tally: Tally, total: int) -> Findings:
    """Say who is not where a click would look, and how many were looked at."""
    created_on_open = tally.without_id if conf.PROVISION_ON_OPEN else []
    nowhere = tally.gone + ([] if conf.PROVISION_ON_OPEN else tally.without_id)
    if nowhere:
        once = (
            f" {len(tally.gone):,} of them had an id: is this the account they were created in?" if tally.gone else ""
        )
        found = f"{_who(nowhere)} unknown to Alguna: their portals do not open.{once}"
        yield warning("customers.unknown", found, "Run manage.py alguna_provision, or correct the aliases.")
    if created_on_open:
        yield note("customers.unopened", f"{_who(created_on_open)} not in Alguna yet: the first click creates them.")
    if nameless := tally.keys[Whereabouts.NAMELESS]:
        found = f"{_who(nameless)} in Alguna by id, but not by alias: their portals do not open."
        yield warning("customers.aliases", found, "Give them their aliases in Alguna, or correct those here.")
    if strangers := tally.keys[Whereabouts.STRANGER]:
        found = f"{_who(strangers)} whose alias is another customer's in Alguna: their sessions are refused."
        remedy = "Find out which is right, then remove the alias in Alguna, or correct customer_id here."
        yield error("customers.strangers", found, remedy)
    yield from _how_many(tally, total)


def _how_many(tally: Tally, total: int) -> Findings:
    there = len(tally.keys[Whereabouts.THERE])
    if tally.stopped:
        found = f"{tally.looked_at:,} of {counted(total, 'customer')} looked up; then {tally.stopped}."
        yield skipped("customers.known", found)
        return
    which = "all" if tally.looked_at == total else f"the newest {tally.looked_at:,} of {total:,}; --all looks at all"
    yield ok("customers.known", f"{counted(there, 'customer')} as Alguna has them; looked up: {which}.")


def _who(keys: list[str]) -> str:
    return f"{counted(len(keys), 'customer')} (pk {named(keys)})"
