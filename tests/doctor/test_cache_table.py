"""A table for a cache: whether it is there, and how much there is room for."""

import pytest
from django.core.cache import caches
from pytest_django import Settings

from alguna_portal.models import Customer
from tests.doctor.conftest import examined


def test_a_table_for_too_few_is_a_warning(well: Settings) -> None:
    """Django's default holds 300; and so is one for fewer than there are customers."""
    well.CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "portal_cache"}}
    said = examined("--offline")
    assert said["cache.size"]["found"] == "The table may hold 300 entries, for 1 customer."
    well.CACHES["default"]["OPTIONS"] = {"MAX_ENTRIES": 1001}
    well.CACHES = {**well.CACHES}
    assert examined("--offline").level("cache.size") == "ok"
    Customer.objects.bulk_create(Customer(alias=str(number)) for number in range(500))
    assert examined("--offline").level("cache.size") == "warning"


def test_a_table_that_is_full_is_not_written_to(well: Settings) -> None:
    """Else the doctor would throw out what clicks need."""
    for number in range(3):
        caches["default"].set(str(number), number)
    well.CACHES = {"default": {**well.CACHES["default"], "OPTIONS": {"MAX_ENTRIES": 3}}}
    said = examined("--offline")
    assert "holds 3 entries of 3" in said["cache.size"]["found"]
    assert "cache.works" not in said
    assert len(caches["default"].get_many(["0", "1", "2"])) == 3


@pytest.mark.parametrize(("entries", "written"), [(1, True), (2, False), (3, False)])
def test_a_table_that_the_trial_would_fill_is_not_written_to(well: Settings, entries: int, written: bool) -> None:
    """It takes two entries; before the third write Django throws out."""
    keys = [str(number) for number in range(entries)]
    for key in keys:
        caches["default"].set(key, key)
    well.CACHES = {"default": {**well.CACHES["default"], "OPTIONS": {"MAX_ENTRIES": 3}}}
    said = examined("--offline")
    assert ("cache.works" in said) == written
    assert len(caches["default"].get_many(keys)) == entries


def test_entries_that_are_over_take_no_room(well: Settings) -> None:
    """Django throws those out first; and nothing that is needed, when the doctor writes."""
    for number in range(9):
        caches["default"].set(f"over-{number}", number, timeout=-60)
    caches["default"].set("needed", 1)
    caches["default"].set("always", 1, timeout=None)
    well.CACHES = {"default": {**well.CACHES["default"], "OPTIONS": {"MAX_ENTRIES": 4}}}
    said = examined("--offline")
    assert said.level("cache.works") == "ok"
    assert said["cache.size"]["found"] == "The table may hold 4 entries, for 1 customer."
    assert len(caches["default"].get_many(["needed", "always"])) == 2


def test_a_table_that_is_emptied_at_once_has_entries_that_are_over(well: Settings) -> None:
    """With a `CULL_FREQUENCY` of 0 nobody asks which are needed."""
    caches["default"].set("over", 1, timeout=-60)
    caches["default"].set("needed", 1)
    well.CACHES = {"default": {**well.CACHES["default"], "OPTIONS": {"MAX_ENTRIES": 3, "CULL_FREQUENCY": 0}}}
    said = examined("--offline")
    assert "holds 2 entries of 3" in said["cache.size"]["found"]
    assert caches["default"].get("needed") == 1


def test_a_table_that_is_not_there_is_an_error(well: Settings) -> None:
    """The remedy makes it."""
    well.CACHES = {"default": {**well.CACHES["default"], "LOCATION": "not_there"}}
    said = examined("--offline")["cache.size"]
    assert said["level"] == "error"
    assert said["remedy"] == "Run createcachetable."
