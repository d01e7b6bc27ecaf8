"""Redis: how often it is asked, and what it does when it is full."""

from time import monotonic, sleep
from typing import Any

import pytest
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from pytest_django import Settings

from alguna_portal.doctor import cache as examination
from alguna_portal.doctor import context
from tests.doctor.conftest import examined
from tests.doctor.test_cache import use

FULL = f"{__name__}.Full"


class Server:
    """A Redis that counts what it is asked, and says what it does when it is full."""

    memory: dict[str, Any] = {}
    asked: list[str] = []
    to_connect = 0.0
    to_tell = 0.0

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def _takes(self, command: str) -> None:
        if not self.asked:
            sleep(self.to_connect)
        self.asked.append(command)

    def set(self, key: str, value: bytes, *, ex: int, nx: bool = False) -> bool | None:
        """Keep, where nothing stands in the way."""
        self._takes("SET")
        if nx and key in self.kept:
            return None
        self.kept[key] = value
        return True

    def get(self, key: str) -> bytes | None:
        """Give back."""
        self._takes("GET")
        return self.kept.get(key)

    def mget(self, keys: Any) -> list[bytes | None]:
        """Give back."""
        self._takes("MGET")
        return [self.kept.get(key) for key in keys]

    def delete(self, *keys: str) -> int:
        """Forget."""
        self._takes("DEL")
        return len([self.kept.pop(key) for key in keys if key in self.kept])

    def info(self, _section: str) -> dict[str, Any]:
        """Say it."""
        sleep(self.to_tell)
        return self.memory


class Client(RedisCacheClient):
    """Django's own, with a connection to this one."""

    def __init__(self, servers: Any, **options: Any) -> None:
        super().__init__(servers, **options)
        self.server = Server()

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        """Connect."""
        return self.server


class Full(RedisCache):
    """Django's own, as far as the connection."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = Client


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
    use(well, FULL)
    monkeypatch.setattr(Server, "memory", memory)
    said = examined("--offline")
    assert said.level("cache.works") == "ok"
    assert said.level("cache.eviction") == level


def test_a_round_trip_is_one_command(well: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the trial took is divided by as many as Redis was sent."""
    use(well, FULL)
    asked: list[str] = []
    monkeypatch.setattr(Server, "asked", asked)
    examined("--offline")
    first, *timed = asked
    assert len(timed) == examination.ROUND_TRIPS
    assert (first, timed) == ("GET", ["SET", "GET", "SET", "SET", "DEL", "MGET"])


def test_the_way_to_a_cache_is_no_round_trip(well: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """To connect takes long, once in a process."""
    use(well, FULL)
    monkeypatch.setattr(Server, "asked", [])
    monkeypatch.setattr(Server, "to_connect", 1.0)
    assert examined("--offline").level("cache.works") == "ok"


def test_a_redis_that_does_not_tell_is_not_waited_for(well: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not beyond the end of the visit."""
    use(well, FULL)
    monkeypatch.setattr(Server, "to_tell", 5)
    monkeypatch.setattr(context, "SECONDS", 1.0)
    began = monotonic()
    assert "(TimeoutError)" in examined("--offline")["cache.eviction"]["found"]
    assert monotonic() - began < 4


def test_a_redis_that_is_down_is_said_once(well: Settings) -> None:
    """It is not asked how large it is, too."""
    use(well, "django.core.cache.backends.redis.RedisCache", LOCATION="redis://:password-of-redis@127.0.0.1:1")
    said = examined("--offline")
    assert said.level("cache.works") == "error"
    assert "cache.eviction" not in said
