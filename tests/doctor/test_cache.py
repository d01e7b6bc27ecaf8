"""The cache: its kind, its size, and whether it does what it should."""

import re
from time import sleep
from typing import Any

import pytest
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.locmem import LocMemCache
from pytest_django import Settings

from alguna_portal.doctor import cache as examination
from alguna_portal.doctor import context
from tests.doctor.conftest import examined

HERE = "tests.doctor.test_cache"


class Own(LocMemCache):
    """A kind that nobody knows."""


class Forgetful(LocMemCache):
    """Keeps nothing, and says nothing."""

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> None:
        """Do nothing."""


class Generous(LocMemCache):
    """Gives one lock to all."""

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        """Give it."""
        return True


class Tenacious(LocMemCache):
    """Deletes nothing."""

    def delete(self, key: Any, version: Any = None) -> bool:
        """Do nothing."""
        return True


class Broken(LocMemCache):
    """Fails, and says too much."""

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> None:
        """Fail."""
        raise ConnectionError("redis://:password@cache")


class Slow(LocMemCache):
    """Is far away."""

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> None:
        """Wait, then keep it."""
        sleep(0.5)
        super().set(key, value, timeout, version)


class Hanging(LocMemCache):
    """Answers much later."""

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> None:
        """Wait."""
        sleep(5)


class Unknown:
    """Stands in for a backend of somebody else's, which is no `LocMemCache`."""


def use(settings: Settings, backend: str, **more: Any) -> None:
    """Have another cache."""
    path = backend if "." in backend else f"{HERE}.{backend}"
    settings.CACHES = {"default": {"BACKEND": path, "LOCATION": "redis://localhost", **more}}


@pytest.mark.parametrize(
    ("backend", "debug", "level"),
    [
        ("django.core.cache.backends.locmem.LocMemCache", False, "warning"),
        ("django.core.cache.backends.locmem.LocMemCache", True, "note"),
        ("django.core.cache.backends.dummy.DummyCache", False, "warning"),
        ("tests.doctor.test_cache_redis.Full", False, "ok"),
    ],
)
def test_a_cache_that_processes_do_not_share_is_said_once(
    well: Settings, backend: str, debug: bool, level: str
) -> None:
    """As a warning outside DEBUG; the system check that says so, too, is left out."""
    use(well, backend)
    well.DEBUG = debug
    said = examined("--offline")
    assert said.level("cache.shared") == level
    assert "settings.W005" not in said


def test_a_cache_of_files_is_not_shared(well: Settings, tmp_path: Any) -> None:
    """Its `add` is no lock; and no file is left in it."""
    use(well, "django.core.cache.backends.filebased.FileBasedCache", LOCATION=str(tmp_path))
    said = examined("--offline")
    assert said.level("cache.shared") == "warning"
    assert said.level("cache.works") == "ok"
    assert not list(tmp_path.iterdir())


def test_a_kind_that_nobody_knows_is_a_note(well: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may well be shared; and django-redis is known."""
    use(well, "Own")
    monkeypatch.setattr(examination, "LocMemCache", Unknown)
    assert examined("--offline").level("cache.shared") == "note"
    monkeypatch.setattr(Own, "__module__", "django_redis.cache")
    assert examined("--offline").level("cache.shared") == "ok"


@pytest.mark.parametrize(
    ("backend", "level", "words"),
    [
        ("Forgetful", "error", "does not give back what was put into it"),
        ("Generous", "error", "locks nothing"),
        ("Tenacious", "error", "does not forget what was deleted"),
        ("Broken", "error", "fails (ConnectionError)"),
        ("Slow", "warning", "ms a round trip"),
        ("django.core.cache.backends.dummy.DummyCache", "skipped", "keeps nothing"),
    ],
)
def test_a_cache_is_tried(well: Settings, backend: str, level: str, words: str) -> None:
    """Written, read, locked and deleted; what fails is named without its text."""
    use(well, backend)
    said = examined("--offline")["cache.works"]
    assert said["level"] == level
    assert words in said["found"]


def test_a_cache_that_hangs_is_not_waited_for(well: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's timeout is needed for that; and what is said is how long it had."""
    use(well, "Hanging")
    monkeypatch.setattr(context, "SECONDS", 1.0)
    found = examined("--offline")["cache.works"]["found"]
    assert re.fullmatch(r"The cache “default” did not answer within (1|0\.\d\d?) s\.", found)


@pytest.mark.parametrize("backend", ["Own", "django.core.cache.backends.db.DatabaseCache"])
def test_a_cache_for_which_no_time_is_left_is_not_at_fault(
    well: Settings, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    """It is skipped, whatever its kind."""
    use(well, backend, LOCATION="portal_cache")
    monkeypatch.setattr(context, "SECONDS", 0.0)
    said = examined("--offline")
    assert said["cache.examined"]["found"] == "There was no time left for the rest of this."
    assert "cache.works" not in said
