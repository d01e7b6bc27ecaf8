"""Checks of the session cache: sharing and locking, size, latency, Redis's eviction policy, and encryption."""

from contextlib import suppress
from time import perf_counter
from urllib.parse import urlsplit
from uuid import uuid4

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends import db, dummy, filebased, locmem, memcached, redis
from django.core.cache.backends.base import BaseCache
from django.db import DatabaseError, connections, router
from django.utils import timezone

from alguna_portal.api import transport
from alguna_portal.conf import conf
from alguna_portal.conf.addresses import is_loopback
from alguna_portal.models import Customer
from alguna_portal.sessions.cache import decrypt, encrypt

from .context import DoctorContext
from .report import Finding, Findings, Level, error, format_count, note, ok, skipped, warning

PREFIX = "alguna_portal:doctor:"
ENTRY_SECONDS = 30  # if the doctor is killed before it deletes its entries
SLOW_SECONDS = 0.05  # for one round trip; a click needs about five
MIN_ENTRIES = 1000  # Django's default is 300
ENTRIES_PER_CUSTOMER = 2  # at least: a session, or one per user, and a generation
ROUND_TRIPS = 6  # of a trial with Redis
TRIAL_ENTRIES = 2
SHARED = (db.DatabaseCache, memcached.BaseMemcachedCache, redis.RedisCache)
NOT_SHARED = (dummy.DummyCache, filebased.FileBasedCache, locmem.LocMemCache)


def check_cache(context: DoctorContext) -> Findings:
    """Check the kind of the cache, then try it and delete the entries of the trial."""
    cache = caches[conf.CACHE]
    yield _check_sharing(cache)
    if isinstance(cache, db.BaseDatabaseCache):
        is_full, finding = _check_size(cache, context)
        yield finding
        if is_full:
            return
    works = _check_operations(cache, context)
    yield works
    if isinstance(cache, redis.RedisCache) and works.level is not Level.ERROR:
        yield _check_eviction(cache, context)


def _check_sharing(cache: BaseCache) -> Finding:
    name, kind, alias = "cache.shared", type(cache).__name__, conf.CACHE
    # The `add` of django-redis, which isn't part of Django, uses Redis's `SET … NX`, too.
    if isinstance(cache, SHARED) or type(cache).__module__.startswith("django_redis"):
        return ok(name, f"The cache “{alias}” is a {kind}, which processes share and lock.")
    if not isinstance(cache, NOT_SHARED):
        remedy = "See to it that all processes share it, and that its add() gives a key to one of them only."
        return note(name, f"The cache “{alias}” is a {kind}, which the doctor does not know.", remedy)
    found = f"The cache “{alias}” is a {kind}, which processes cannot share and lock"
    if settings.DEBUG:
        return note(name, f"{found}. For development that will do.")
    return warning(
        name,
        f"{found}: each makes sessions of its own, none learns from another that Alguna is down, and what one "
        "forgets the others still give out.",
        "Name a cache on Redis, Memcached or the database in ALGUNA_PORTAL_CACHE.",
    )


def _check_size(cache: db.BaseDatabaseCache, context: DoctorContext) -> tuple[bool, Finding]:
    """Compare MAX_ENTRIES with the number of customers. Return True first if a trial would delete other entries."""
    name, limit = "cache.size", int(getattr(cache, "_max_entries", 300))
    try:
        entries = _count_entries(cache)
    except DatabaseError as exc:
        return True, error(name, f"The cache's table cannot be read ({type(exc).__name__}).", "Run createcachetable.")
    remedy = "Set MAX_ENTRIES in the OPTIONS of the cache: a portal that is open takes two entries or more."
    holds = f"The table holds {entries:,} entries of {limit:,}"
    if entries + TRIAL_ENTRIES > limit:
        return True, warning(name, f"{holds}: it throws out what is needed. It was not written to.", remedy)
    customers = Customer.objects.using(context.using).count() if context.has_tables else 0
    if limit < max(MIN_ENTRIES, ENTRIES_PER_CUSTOMER * customers):
        found = f"The table may hold {limit:,} entries, for {format_count(customers, 'customer')}."
        return False, warning(name, found, remedy)
    return False, ok(name, f"{holds}.")


def _count_entries(cache: db.BaseDatabaseCache) -> int:
    """Count the entries that Django keeps if the table is full. Django deletes expired entries first."""
    using = connections[router.db_for_read(cache.cache_model_class)]
    table, expires = map(using.ops.quote_name, (cache.cache_model_class._meta.db_table, "expires"))
    query, values = f"SELECT COUNT(*) FROM {table}", []  # noqa: S608  (a quoted name)
    # With a CULL_FREQUENCY of 0, Django deletes all entries, expired or not.
    if getattr(cache, "_cull_frequency", 3):
        query += f" WHERE {expires} >= %s"
        values = [using.ops.adapt_datetimefield_value(timezone.now().replace(microsecond=0))]
    with using.cursor() as cursor:
        cursor.execute(query, values)
        return int(cursor.fetchone()[0])


def _check_operations(cache: BaseCache, context: DoctorContext) -> Finding:
    name, alias = "cache.works", conf.CACHE
    if isinstance(cache, dummy.DummyCache):
        return skipped(name, "A DummyCache keeps nothing.")
    timeout = context.get_timeout()
    try:
        if isinstance(cache, db.BaseDatabaseCache):
            problem, seconds = _try_operations(cache)  # in this thread, which has the database connection
        else:
            problem, seconds = transport.run_within(timeout, lambda: _try_operations(cache))
    except TimeoutError:
        return error(name, f"The cache “{alias}” did not answer within {timeout:.2g} s.", "Check CACHES.")
    except Exception as exc:  # noqa: BLE001  (backends raise any exception, with secrets in the text)
        found = f"The cache “{alias}” fails ({type(exc).__name__}): sessions are not kept, and each click makes one."
        return error(name, found, "Check CACHES, and that the server is there.")
    if problem:
        remedy = "Check CACHES: versions, key prefixes, read-only replicas."
        return error(name, f"The cache “{alias}” {problem}.", remedy)
    took = f"{max(seconds * 1000, 0.1):.1f} ms a round trip"
    if seconds > SLOW_SECONDS:
        return warning(name, f"The cache works, but takes {took}, several times a click.", "Move it nearer.")
    return ok(name, f"Keeps, locks and forgets; {took}.")


def _try_operations(cache: BaseCache) -> tuple[str, float]:
    """Set, get, add and delete entries with random keys; return the problem and the seconds of one round trip."""
    key, lock = f"{PREFIX}{uuid4().hex}", f"{PREFIX}{uuid4().hex}"
    cache.get(key)  # not timed: the first use in a process imports a library and connects
    start = perf_counter()
    try:
        cache.set(key, {"a": 1}, timeout=ENTRY_SECONDS)
        is_stored = cache.get(key) == {"a": 1}
        first, second = cache.add(lock, 1, timeout=ENTRY_SECONDS), cache.add(lock, 2, timeout=ENTRY_SECONDS)
    finally:
        cache.delete_many([key, lock])
    is_deleted = not cache.get_many([key, lock])
    seconds = (perf_counter() - start) / ROUND_TRIPS
    if not is_stored:
        return "does not give back what was put into it", seconds
    if not first or second:
        return "locks nothing: its add() does not give a key to the first only", seconds
    return "" if is_deleted else "does not forget what was deleted", seconds


def _check_eviction(cache: redis.RedisCache, context: DoctorContext) -> Finding:
    name, timeout = "cache.eviction", context.get_timeout()
    try:
        memory = transport.run_within(timeout, lambda: cache._cache.get_client(None).info("memory"))  # noqa: SLF001
        policy, is_limited = str(memory["maxmemory_policy"]), int(memory["maxmemory"]) > 0
    except Exception as exc:  # noqa: BLE001  (as above; many providers forbid the command)
        return skipped(name, f"Redis does not say what it does when its memory is full ({type(exc).__name__}).")
    if is_limited and policy == "noeviction":
        remedy = "Set maxmemory-policy to volatile-lru or allkeys-lru, where nothing else forbids it."
        return warning(name, "When its memory is full, Redis refuses to keep anything more (noeviction).", remedy)
    return ok(name, f"Memory is {f'limited, policy {policy}' if is_limited else 'not limited'}.")


def check_encryption(_context: DoctorContext) -> Findings:
    """Try the encryption of cached sessions if it is on; otherwise check whether the cache is on another machine."""
    name = "encryption.on"
    if conf.ENCRYPT_CACHE and decrypt(encrypt({"a": "b"})) == {"a": "b"}:
        yield ok(name, "Cached sessions are encrypted.")
    elif conf.ENCRYPT_CACHE:
        yield error(name, "What is encrypted cannot be read again.", "Check SECRET_KEY, and the cryptography library.")
    elif _has_remote_cache():
        remedy = 'Set ALGUNA_PORTAL_ENCRYPT_CACHE = True, with pip install "alguna_portal[encryption]".'
        yield note(name, "Cached sessions, which are credentials, are in plain on another machine.", remedy)
    else:
        yield ok(name, "Off. The cache is on this machine, or in the database.")


def _has_remote_cache() -> bool:
    """Return whether any address of the cache has a host and a port, or a scheme, and is on another machine."""
    location = settings.CACHES[conf.CACHE].get("LOCATION", "")
    servers = location if isinstance(location, list | tuple) else str(location).replace(";", ",").split(",")
    for server in (str(each).strip() for each in servers):
        with suppress(ValueError):
            # Addresses of Memcached have no scheme. Some addresses are paths of sockets, or names of tables.
            host = urlsplit(server if "://" in server else f"//{server}").hostname or ""
            if host and ":" in server and not server.startswith(("/", "unix:")) and not is_loopback(host):
                return True
    return False
