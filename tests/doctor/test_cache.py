"""The checks of the session cache and its encryption."""

import re
from pathlib import Path
from time import monotonic

import pytest
from pytest_django import Settings

from alguna_portal.doctor import cache, context
from tests.doctor.cache_backends import CustomCache, FakeRedisServer, create_caches
from tests.doctor.conftest import run_doctor


def test_file_cache_is_not_shared(healthy: Settings, tmp_path: Path) -> None:
    healthy.CACHES = create_caches("django.core.cache.backends.filebased.FileBasedCache", LOCATION=str(tmp_path))
    report = run_doctor("--offline")
    assert report.get_level("cache.shared") == "warning"
    assert report.get_level("cache.works") == "ok"
    assert not list(tmp_path.iterdir())


def test_unknown_backend_is_a_note(healthy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be shared. The backend of django-redis is known to be."""
    healthy.CACHES = create_caches("CustomCache")
    monkeypatch.setattr(cache, "NOT_SHARED", ())
    assert run_doctor("--offline").get_level("cache.shared") == "note"
    monkeypatch.setattr(CustomCache, "__module__", "django_redis.cache")
    assert run_doctor("--offline").get_level("cache.shared") == "ok"


def test_hanging_cache_has_a_time_limit(healthy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy.CACHES = create_caches("HangingCache")
    monkeypatch.setattr(context, "TOTAL_SECONDS", 1.0)
    found = run_doctor("--offline")["cache.works"]["found"]
    assert re.fullmatch(r"The cache “default” did not answer within (1|0\.\d\d?) s\.", found)


@pytest.mark.parametrize("backend", ["CustomCache", "django.core.cache.backends.db.DatabaseCache"])
def test_cache_is_skipped_if_no_time_is_left(healthy: Settings, monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    healthy.CACHES = create_caches(backend, LOCATION="portal_cache")
    monkeypatch.setattr(context, "TOTAL_SECONDS", 0.0)
    report = run_doctor("--offline")
    assert report["cache.examined"]["found"] == "There was no time left for the rest of this."
    assert "cache.works" not in report


@pytest.mark.parametrize(
    ("attributes", "name", "level"),
    [
        ({"memory": {"maxmemory_policy": "noeviction", "maxmemory": 0}}, "cache.eviction", "ok"),
        ({"memory": {"maxmemory_policy": "noeviction", "maxmemory": 1024}}, "cache.eviction", "warning"),
        ({"memory": {"maxmemory_policy": "allkeys-lru", "maxmemory": 1024}}, "cache.eviction", "ok"),
        ({"memory": {}}, "cache.eviction", "skipped"),
        # The latency doesn't include the time to connect.
        ({"connect_seconds": 1.0, "commands": []}, "cache.works", "ok"),
    ],
)
def test_redis(
    healthy: Settings, monkeypatch: pytest.MonkeyPatch, attributes: dict[str, object], name: str, level: str
) -> None:
    healthy.CACHES = create_caches("FakeRedisCache")
    for attribute, value in attributes.items():
        monkeypatch.setattr(FakeRedisServer, attribute, value)
    report = run_doctor("--offline")
    assert report.get_level("cache.works") == "ok"
    assert report.get_level(name) == level


def test_redis_round_trips_are_counted(healthy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of the trial is divided by the number of commands after the first one."""
    healthy.CACHES = create_caches("FakeRedisCache")
    commands: list[str] = []
    monkeypatch.setattr(FakeRedisServer, "commands", commands)
    run_doctor("--offline")
    first, *timed = commands
    assert len(timed) == cache.ROUND_TRIPS
    assert (first, timed) == ("GET", ["SET", "GET", "SET", "SET", "DEL", "MGET"])


def test_hanging_redis_info_has_a_time_limit(healthy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy.CACHES = create_caches("FakeRedisCache")
    monkeypatch.setattr(FakeRedisServer, "info_seconds", 5)
    monkeypatch.setattr(context, "TOTAL_SECONDS", 1.0)
    start = monotonic()
    assert "(TimeoutError)" in run_doctor("--offline")["cache.eviction"]["found"]
    assert monotonic() - start < 4


def test_stopped_redis_is_reported_once(healthy: Settings) -> None:
    healthy.CACHES = create_caches(
        "django.core.cache.backends.redis.RedisCache", LOCATION="redis://:password-of-redis@127.0.0.1:1"
    )
    report = run_doctor("--offline")
    assert report.get_level("cache.works") == "error"
    assert "cache.eviction" not in report


def test_encryption_is_tried(healthy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy.ALGUNA_PORTAL_ENCRYPT_CACHE = True
    assert run_doctor("--offline")["encryption.on"]["found"] == "Cached sessions are encrypted."
    monkeypatch.setattr(cache, "decrypt", lambda _token: None)
    assert run_doctor("--offline").get_level("encryption.on") == "error"
