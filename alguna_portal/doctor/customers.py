"""Customers that Alguna does not know, or knows as somebody else."""

from collections import defaultdict
from dataclasses import dataclass, field
from time import sleep

from alguna_portal.conf import conf
from alguna_portal.exceptions import AlgunaError, AlgunaUnavailable, AuthenticationFailed
from alguna_portal.models import Customer

from .context import Directory, OutOfTime, Visit, Whereabouts
from .report import Findings, counted, error, named, note, ok, skipped, warning

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
    unanswered: list[str] = field(default_factory=list)  # for whom Alguna failed
    wanted: int
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

    directory, tally, failures = Directory(account=visit.account, seconds=seconds), Tally(wanted=wanted), 0
    try:
        directory.read(wanted)
        for customer in rows[:wanted].iterator():
            try:
                where = directory.whereabouts(customer)
            except AlgunaUnavailable as exc:
                failures += 1
                tally.unanswered.append(str(customer.pk))
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
    if (without_id := tally.without_id) and conf.PROVISION_ON_OPEN:
        yield note("customers.unopened", f"{_who(without_id)} not in Alguna yet: the first click creates them.")
    elif without_id:
        found = f"{_who(without_id)} unknown to Alguna: their portals do not open."
        yield warning("customers.unknown", found, "Run manage.py alguna_provision, or correct the aliases.")
    if gone := tally.gone:
        found = f"{_who(gone)} unknown to Alguna, though with an id of Alguna's here: their portals do not open."
        # Nothing creates these: whoever has an id is taken for created.
        remedy = (
            "Check that this is the account they were created in. Only where a customer is gone there, empty its id "
            "here, then run manage.py alguna_provision."
        )
        yield warning("customers.gone", found, remedy)
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
    which, more = "all", ""
    if tally.wanted < total:
        which, more = f"the newest {tally.wanted:,} of {total:,}", "; --all looks at all"
    if tally.unanswered:
        which += f" but {_who(tally.unanswered)}, since Alguna failed"
    level = skipped if tally.unanswered else ok
    yield level("customers.known", f"{counted(there, 'customer')} as Alguna has them; looked up: {which}{more}.")


def _who(keys: list[str]) -> str:
    return f"{counted(len(keys), 'customer')} (pk {named(keys)})"
