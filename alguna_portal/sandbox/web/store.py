"""The engine's state in the table of records, and the transaction around its use."""

from collections.abc import Iterator, MutableMapping, ValuesView
from contextlib import contextmanager

from django.db import router, transaction
from django.db.models import QuerySet

from alguna_portal.sandbox.engine.types import COLLECTIONS, JSON, State
from alguna_portal.sandbox.models import Record

GATE = {"collection": "gate", "key": "gate"}


class Records(MutableMapping[str, JSON]):
    """One collection of the table as a mapping, the oldest record first; what it gives are copies."""

    def __init__(self, collection: str, *, using: str) -> None:
        self._collection = collection
        self._using = using

    @property
    def rows(self) -> QuerySet[Record]:
        """Return the collection's rows."""
        return Record.objects.using(self._using).filter(collection=self._collection).order_by("pk")

    def __getitem__(self, key: str) -> JSON:
        try:
            data: JSON = self.rows.get(key=key).data
        except Record.DoesNotExist as error:
            raise KeyError(key) from error
        return data

    def __setitem__(self, key: str, data: JSON) -> None:
        Record.objects.using(self._using).update_or_create(
            collection=self._collection, key=key, defaults={"data": data}
        )

    def __delitem__(self, key: str) -> None:
        deleted, _ = self.rows.filter(key=key).delete()
        if not deleted:
            raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows.values_list("key", flat=True))

    def __len__(self) -> int:
        return self.rows.count()

    def values(self) -> ValuesView[JSON]:
        """Return the records by one query, where the inherited view would ask once for each."""
        return _Values(self)


class _Values(ValuesView[JSON]):
    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self._records = records

    def __iter__(self) -> Iterator[JSON]:
        return (row.data for row in self._records.rows)


def reading() -> State:
    """Return the state, to be read."""
    return _state(router.db_for_read(Record))


def shared() -> State:
    """Return the state as its writers see it; who changes it does so within `writing()`."""
    return _state(router.db_for_write(Record))


@contextmanager
def writing() -> Iterator[State]:
    """Give the state to one writer at a time, in a transaction.

    Every writer first passes one row. On PostgreSQL its lock is what the next one waits for; on SQLite the
    write itself takes the database's lock, before anything was read that could be stale, so that waiting ends
    well and not in "database is locked". So nothing that takes long belongs within.
    """
    using = router.db_for_write(Record)
    with transaction.atomic(using=using):
        gate = Record.objects.using(using)
        gate.bulk_create([Record(**GATE, data={})], ignore_conflicts=True)
        gate.select_for_update().get(**GATE)
        yield _state(using)


def _state(using: str) -> State:
    return {name: Records(name, using=using) for name in COLLECTIONS}
