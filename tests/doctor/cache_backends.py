"""Cache backends that don't work, and a Redis cache with a fake server."""

from time import sleep
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient


def create_caches(backend: str, **options: Any) -> dict[str, Any]:
    """Return a value for CACHES, with a backend of Django or of this module."""
    path = backend if "." in backend else f"{__name__}.{backend}"
    return {"default": {"BACKEND": path, "LOCATION": "redis://localhost", **options}}


class CustomCache(LocMemCache):
    """A backend of another package."""


class ForgetfulCache(LocMemCache):
    """Stores nothing."""

    def set(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""


class UnlockedCache(LocMemCache):
    """Its `add` always succeeds."""

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return True


class UndeletableCache(LocMemCache):
    """Deletes nothing."""

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        return True


class BrokenCache(LocMemCache):
    """Raises an exception with a password in the text."""

    def set(self, *args: Any, **kwargs: Any) -> None:
        raise ConnectionError("redis://:password@cache")


class SlowCache(LocMemCache):
    """Needs some time to store a value."""

    seconds = 0.5

    def set(self, *args: Any, **kwargs: Any) -> None:
        sleep(self.seconds)
        super().set(*args, **kwargs)


class HangingCache(SlowCache):
    """Needs longer than the time limit."""

    seconds = 5


class FakeRedisServer:
    """A Redis server that records commands. The class attributes are set by tests."""

    memory: dict[str, Any] = {}
    commands: list[str] = []
    connect_seconds = 0.0
    info_seconds = 0.0

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def _record(self, command: str) -> None:
        if not self.commands:
            sleep(self.connect_seconds)
        self.commands.append(command)

    def set(self, key: str, value: bytes, *, ex: int, nx: bool = False) -> bool | None:
        self._record("SET")
        if nx and key in self.values:
            return None
        self.values[key] = value
        return True

    def get(self, key: str) -> bytes | None:
        self._record("GET")
        return self.values.get(key)

    def mget(self, keys: Any) -> list[bytes | None]:
        self._record("MGET")
        return [self.values.get(key) for key in keys]

    def delete(self, *keys: str) -> int:
        self._record("DEL")
        return len([self.values.pop(key) for key in keys if key in self.values])

    def info(self, _section: str) -> dict[str, Any]:
        sleep(self.info_seconds)
        return self.memory


class FakeRedisClient(RedisCacheClient):
    """Django's client, connected to a fake server."""

    def __init__(self, servers: Any, **options: Any) -> None:
        super().__init__(servers, **options)
        self.server = FakeRedisServer()

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        return self.server


class FakeRedisCache(RedisCache):
    """Django's backend with the fake client."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = FakeRedisClient
