"""The cache: whether it works, whether processes share it, and whether it is large enough."""

from time import perf_counter
from uuid import uuid4

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.db import BaseDatabaseCache, DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.memcached import BaseMemcachedCache
from django.core.cache.backends.redis import RedisCache
from django.db import DatabaseError, connections, router
from django.utils import timezone

from alguna_portal.api import transport
from alguna_portal.conf import conf
from alguna_portal.models import Customer

from .context import Visit
from .report import Finding, Findings, Level, counted, error, note, ok, skipped, warning

PREFIX = "alguna_portal:doctor:"
LIFE = 30  # seconds; for the case that the doctor dies between writing and deleting
SLOW = 0.05  # seconds; a click asks about five times
FEW_ENTRIES = 1000  # Django's own default is 300
EACH = 2  # entries of a customer whose portal was opened: a session, or one for each user, and a generation
ROUND_TRIPS = 6  # of a trial, as Redis is asked
WRITTEN = 2  # entries, by a trial


def look(visit: Visit) -> Findings:
    """Judge the cache by its kind, then try it, and leave nothing in it."""
    cache = caches[conf.CACHE]
    yield _shared(cache, visit)
    if isinstance(cache, BaseDatabaseCache):
        too_full, found = _room(cache, visit)
        yield found
        if too_full:
            return
    works = _works(cache, visit)
    yield works
    if isinstance(cache, RedisCache) and works.level is not Level.ERROR:
        yield _eviction(cache, visit)


def _shared(cache: BaseCache, visit: Visit) -> Finding:
    name, kind, alias = "cache.shared", type(cache).__name__, conf.CACHE
    # django-redis is no part of Django, and has Redis's `SET … NX` under its `add`, too.
    locks = isinstance(cache, RedisCache | BaseMemcachedCache | DatabaseCache)
    if locks or type(cache).__module__.startswith("django_redis"):
        return ok(name, f"The cache “{alias}” is a {kind}, which processes share and lock.")
    if not isinstance(cache, DummyCache | FileBasedCache | LocMemCache):
        remedy = "See to it that all processes share it, and that its add() gives a key to one of them only."
        return note(name, f"The cache “{alias}” is a {kind}, which the doctor does not know.", remedy)
    found = f"The cache “{alias}” is a {kind}, which processes cannot share and lock"
    if visit.debug:
        return note(name, f"{found}. For development that will do.")
    return warning(
        name,
        f"{found}: each makes sessions of its own, none learns from another that Alguna is down, and what one "
        "forgets the others still give out.",
        "Name a cache on Redis, Memcached or the database in ALGUNA_PORTAL_CACHE.",
    )


def _room(cache: BaseDatabaseCache, visit: Visit) -> tuple[bool, Finding]:
    """Compare what the table may hold with what it should; say first whether writing to it would throw things out."""
    name, most = "cache.size", int(getattr(cache, "_max_entries", 300))
    try:
        entries = _entries(cache)
    except DatabaseError as exc:
        return True, error(name, f"The cache's table cannot be read ({type(exc).__name__}).", "Run createcachetable.")
    remedy = "Set MAX_ENTRIES in the OPTIONS of the cache: a portal that is open takes two entries or more."
    if entries + WRITTEN > most:
        found = f"The table holds {entries:,} entries of {most:,}: it throws out what is needed. It was not written to."
        return True, warning(name, found, remedy)
    customers = Customer.objects.using(visit.using).count() if visit.has_tables else 0
    if most < max(FEW_ENTRIES, EACH * customers):
        return False, warning(
            name, f"The table may hold {most:,} entries, for {counted(customers, 'customer')}.", remedy
        )
    return False, ok(name, f"The table holds {entries:,} entries of {most:,}.")


def _entries(cache: BaseDatabaseCache) -> int:
    """Count the entries among which Django chooses when it throws some out: it deletes those that are over first."""
    using = connections[router.db_for_read(cache.cache_model_class)]
    table, expires = map(using.ops.quote_name, (cache.cache_model_class._meta.db_table, "expires"))
    query, values = f"SELECT COUNT(*) FROM {table}", []  # noqa: S608  (a quoted name)
    if getattr(cache, "_cull_frequency", 3):
        query += f" WHERE {expires} >= %s"
        values = [using.ops.adapt_datetimefield_value(timezone.now().replace(microsecond=0))]
    # Else it empties the whole table, as soon as there are too many, over or not.
    with using.cursor() as cursor:
        cursor.execute(query, values)
        return int(cursor.fetchone()[0])


def _works(cache: BaseCache, visit: Visit) -> Finding:
    name, alias = "cache.works", conf.CACHE
    if isinstance(cache, DummyCache):
        return skipped(name, "A DummyCache keeps nothing.")
    within = visit.seconds()
    try:
        if isinstance(cache, BaseDatabaseCache):
            fault, seconds = _tried(cache)  # in this thread, which has the connection
        else:
            fault, seconds = transport.run_within(within, lambda: _tried(cache))
    except TimeoutError:
        return error(name, f"The cache “{alias}” did not answer within {within:.2g} s.", "Check CACHES.")
    except Exception as exc:  # noqa: BLE001  (backends raise what they like, with anything in the text)
        found = f"The cache “{alias}” fails ({type(exc).__name__}): sessions are not kept, and each click makes one."
        return error(name, found, "Check CACHES, and that the server is there.")
    if fault:
        return error(name, f"The cache “{alias}” {fault}.", "Check CACHES: versions, key prefixes, read-only replicas.")
    took = f"{max(seconds * 1000, 0.1):.1f} ms a round trip"
    if seconds > SLOW:
        return warning(name, f"The cache works, but takes {took}, several times a click.", "Move it nearer.")
    return ok(name, f"Keeps, locks and forgets; {took}.")


def _tried(cache: BaseCache) -> tuple[str, float]:
    """Write, read, lock and delete under keys that nobody else has; return the fault, and the seconds of each."""
    key, lock = f"{PREFIX}{uuid4().hex}", f"{PREFIX}{uuid4().hex}"
    cache.get(key)  # the first use imports a library and connects, for which no click waits again
    began = perf_counter()
    try:
        cache.set(key, {"a": 1}, timeout=LIFE)
        kept = cache.get(key) == {"a": 1}
        first, second = cache.add(lock, 1, timeout=LIFE), cache.add(lock, 2, timeout=LIFE)
    finally:
        cache.delete_many([key, lock])
    forgotten = not cache.get_many([key, lock])
    seconds = (perf_counter() - began) / ROUND_TRIPS
    if not kept:
        return "does not give back what was put into it", seconds
    if not first or second:
        return "locks nothing: its add() does not give a key to the first only", seconds
    return "" if forgotten else "does not forget what was deleted", seconds


def _eviction(cache: RedisCache, visit: Visit) -> Finding:
    """Say what Redis does when its memory is full, where it tells."""
    name, within = "cache.eviction", visit.seconds()
    try:
        memory = transport.run_within(within, lambda: cache._cache.get_client(None).info("memory"))  # noqa: SLF001
        policy, limited = str(memory["maxmemory_policy"]), int(memory["maxmemory"]) > 0
    except Exception as exc:  # noqa: BLE001  (as above; many hosts forbid it)
        return skipped(name, f"Redis does not say what it does when its memory is full ({type(exc).__name__}).")
    if limited and policy == "noeviction":
        remedy = "Set maxmemory-policy to volatile-lru or allkeys-lru, where nothing else forbids it."
        return warning(name, "When its memory is full, Redis refuses to keep anything more (noeviction).", remedy)
    return ok(name, f"Memory is {f'limited, policy {policy}' if limited else 'not limited'}.")
