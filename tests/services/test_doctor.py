"""The doctor's cache checks with real Redis and Memcached servers."""

import json
from contextlib import suppress
from io import StringIO
from typing import Any

import pytest
from django.core.cache import caches
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings
from redis import Redis

from tests.services.conftest import Shared

pytestmark = [pytest.mark.services, pytest.mark.django_db]


def run_doctor() -> dict[str, dict[str, Any]]:
    """Run the command offline; return the findings by name."""
    output = StringIO()
    # The tests' settings have problems that aren't about the cache.
    with suppress(CommandError):
        call_command("alguna_doctor", "--json", "--offline", stdout=output)
    return {each["name"]: each for each in json.loads(output.getvalue())["findings"]}


@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_shared_cache_is_ok_and_left_empty(request: pytest.FixtureRequest, settings: Settings, kind: str) -> None:
    """If the server is stopped, that is an error."""
    shared: Shared = request.getfixturevalue(kind)
    settings.CACHES = {"default": shared.cache}
    findings = run_doctor()
    assert {name: each["level"] for name, each in findings.items() if name.startswith("cache.")} == {
        "cache.shared": "ok",
        "cache.works": "ok",
        **({"cache.eviction": "ok"} if kind == "redis" else {}),
    }
    if kind == "redis":
        with Redis.from_url(shared.cache["LOCATION"]) as client:
            assert client.dbsize() == 0
    assert shared.stop
    shared.stop()
    assert run_doctor()["cache.works"]["level"] == "error"
    caches["default"].close()
    # Django leaves connections to Redis open until the process ends.
    if kind == "redis":
        vars(caches["default"])["_cache"].get_client(None).connection_pool.disconnect()
