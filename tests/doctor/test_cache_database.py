"""The check of the size of a database cache."""

from typing import Any

import pytest
from django.core.cache import caches
from pytest_django import Settings

from alguna_portal.models import Customer
from tests.doctor.conftest import JsonReport, run_doctor


def store(*keys: str, timeout: int | None = 300) -> None:
    for key in keys:
        caches["default"].set(key, 1, timeout=timeout)


def run_with_options(settings: Settings, **options: Any) -> JsonReport:
    settings.CACHES = {"default": {**settings.CACHES["default"], "OPTIONS": options}}
    return run_doctor("--offline")


def test_small_table_is_a_warning(healthy: Settings) -> None:
    """Django's default is too small, and so is a table with fewer entries than customers need."""
    assert run_with_options(healthy)["cache.size"]["found"] == "The table may hold 300 entries, for 1 customer."
    assert run_with_options(healthy, MAX_ENTRIES=1001).get_level("cache.size") == "ok"
    Customer.objects.bulk_create(Customer(alias=str(number)) for number in range(500))
    assert run_doctor("--offline").get_level("cache.size") == "warning"


@pytest.mark.parametrize(("entries", "is_written"), [(1, True), (2, False), (3, False)])
def test_full_table_is_not_written_to(healthy: Settings, entries: int, is_written: bool) -> None:
    """A trial needs two entries. If there is no room, Django would delete entries that the site needs."""
    keys = [str(number) for number in range(entries)]
    store(*keys)
    report = run_with_options(healthy, MAX_ENTRIES=3)
    assert ("cache.works" in report) == is_written
    assert (f"holds {entries} entries of 3" in report["cache.size"]["found"]) != is_written
    assert len(caches["default"].get_many(keys)) == entries


def test_expired_entries_are_not_counted(healthy: Settings) -> None:
    """Django deletes them first."""
    store(*[f"expired-{number}" for number in range(9)], timeout=-60)
    store("needed")
    store("always", timeout=None)
    report = run_with_options(healthy, MAX_ENTRIES=4)
    assert report.get_level("cache.works") == "ok"
    assert report["cache.size"]["found"] == "The table may hold 4 entries, for 1 customer."
    assert len(caches["default"].get_many(["needed", "always"])) == 2


def test_expired_entries_are_counted_if_culling_deletes_all(healthy: Settings) -> None:
    """With a `CULL_FREQUENCY` of 0, Django deletes all entries of a full table."""
    store("expired", timeout=-60)
    store("needed")
    report = run_with_options(healthy, MAX_ENTRIES=3, CULL_FREQUENCY=0)
    assert "holds 2 entries of 3" in report["cache.size"]["found"]
    assert caches["default"].get("needed") == 1


def test_missing_table_is_an_error(healthy: Settings) -> None:
    healthy.CACHES = {"default": {**healthy.CACHES["default"], "LOCATION": "not_there"}}
    finding = run_doctor("--offline")["cache.size"]
    assert finding["level"] == "error"
    assert finding["remedy"] == "Run createcachetable."
