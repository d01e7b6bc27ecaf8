"""The sandbox's table, and the engine's state stored in it."""

from collections.abc import Iterator, MutableMapping, ValuesView
from contextlib import contextmanager

from django.db import models, router, transaction
from django.db.models import QuerySet

from .engine.types import COLLECTIONS, JSON, State


class Record(models.Model):
    """A JSON record in a collection of the engine's state."""

    collection = models.CharField(max_length=32)
    key = models.CharField(max_length=255)
    data = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["collection", "key"], name="alguna_sandbox_record_unique")]

    def __str__(self) -> str:
        # Without the key, which can be confidential: aliases and idempotency keys are keys too.
        return f"{self.collection} record {self.pk}"


class SimulatedFault(Record):
    """The admin page that sets the simulated fault. It has no rows of its own."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = "simulated fault"
        verbose_name_plural = "simulated faults"


LOCK_ROW = {"collection": "lock", "key": "lock"}


class Records(MutableMapping[str, JSON]):
    """A collection of records as a mapping of copies, the oldest record first."""

    def __init__(self, collection: str, *, using: str) -> None:
        self._collection = collection
        self._using = using

    @property
    def rows(self) -> QuerySet[Record]:
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
        """Return all records with one query; the inherited view would make one query for each."""
        return dict(self.rows.values_list("key", "data")).values()


def get_state() -> State:
    """Return the state for reading."""
    return _create_state(router.db_for_read(Record))


def get_writable_state() -> State:
    """Return the state in the database for writing; change it only within `write_state()`."""
    return _create_state(router.db_for_write(Record))


@contextmanager
def write_state() -> Iterator[State]:
    """Lock the state and return it; commit all changes at the end, or roll them back after an exception.

    All writers first lock the same row. On PostgreSQL they wait for its lock. On SQLite, writing the row locks the
    database before anything is read, so that writers wait instead of failing with "database is locked". Don't hold
    this lock for long.
    """
    using = router.db_for_write(Record)
    with transaction.atomic(using=using):
        rows = Record.objects.using(using)
        rows.bulk_create([Record(**LOCK_ROW, data={})], ignore_conflicts=True)
        rows.select_for_update().get(**LOCK_ROW)
        yield _create_state(using)


def _create_state(using: str) -> State:
    return {name: Records(name, using=using) for name in COLLECTIONS}
