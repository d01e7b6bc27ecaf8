"""The cache: its kind, its size, and whether it does what it should."""

from time import sleep
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from pytest_django import Settings

from alguna_portal.doctor import cache as examination
from alguna_portal.doctor import visit
from alguna_portal.models import Customer

from .conftest import examined

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


class Full(RedisCache):
    """A Redis that says what it does when it is full."""

    memory: dict[str, Any] = {}

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.kept: dict[str, Any] = {}

    def set(self, key: str, value: Any, **_: Any) -> None:  # type: ignore[override]
        """Keep."""
        self.kept[key] = value

    def get(self, key: str, *_: Any) -> Any:
        """Give back."""
        return self.kept.get(key)

    def get_many(self, keys: Any, *_: Any) -> Any:
        """Give back."""
        return {key: self.kept[key] for key in keys if key in self.kept}

    def add(self, key: str, value: Any, **_: Any) -> bool:  # type: ignore[override]
        """Keep, if it is the first."""
        return self.kept.setdefault(key, value) is value

    def delete_many(self, keys: Any, *_: Any) -> None:
        """Forget."""
        for key in keys:
            self.kept.pop(key, None)

    @property
    def _cache(self) -> Any:
        return self

    def get_client(self, _key: None) -> Any:
        """Be it."""
        return self

    def info(self, _section: str) -> dict[str, Any]:
        """Say it."""
        return self.memory


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
        ("Full", False, "ok"),
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
    """Nobody's timeout is needed for that."""
    use(well, "Hanging")
    monkeypatch.setattr(visit, "SECONDS", 0.3)
    assert "did not answer" in examined("--offline")["cache.works"]["found"]


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


def test_a_table_that_is_not_there_is_an_error(well: Settings) -> None:
    """The remedy makes it."""
    well.CACHES = {"default": {**well.CACHES["default"], "LOCATION": "not_there"}}
    said = examined("--offline")["cache.size"]
    assert said["level"] == "error"
    assert said["remedy"] == "Run createcachetable."


@pytest.mark.parametrize(
    ("memory", "level"),
    [
        ({"maxmemory_policy": "noeviction", "maxmemory": 0}, "ok"),
        ({"maxmemory_policy": "noeviction", "maxmemory": 1024}, "warning"),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 1024}, "ok"),
        ({}, "skipped"),
    ],
)
def test_a_redis_that_refuses_when_it_is_full_is_a_warning(
    well: Settings, monkeypatch: pytest.MonkeyPatch, memory: dict[str, Any], level: str
) -> None:
    """Where it does not tell, that is no failure."""
    use(well, "Full")
    monkeypatch.setattr(Full, "memory", memory)
    said = examined("--offline")
    assert said.level("cache.works") == "ok"
    assert said.level("cache.eviction") == level


def test_a_redis_that_is_down_is_said_once(well: Settings) -> None:
    """It is not asked how large it is, too."""
    use(well, "django.core.cache.backends.redis.RedisCache", LOCATION="redis://:password-of-redis@127.0.0.1:1")
    said = examined("--offline")
    assert said.level("cache.works") == "error"
    assert "cache.eviction" not in said
