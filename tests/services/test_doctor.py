"""The doctor before the caches that processes really share."""

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


def examined() -> dict[str, dict[str, Any]]:
    """Run the command, with nobody on the network but the cache; return what it says of that."""
    output = StringIO()
    # The tests' settings are no deployment's.
    with suppress(CommandError):
        call_command("alguna_doctor", "--json", "--offline", stdout=output)
    return {each["name"]: each for each in json.loads(output.getvalue())["findings"]}


@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_a_cache_that_processes_share_is_in_order(
    request: pytest.FixtureRequest, settings: Settings, kind: str
) -> None:
    """It keeps, locks and forgets; nothing is left in it, and one that has stopped is an error."""
    shared: Shared = request.getfixturevalue(kind)
    settings.CACHES = {"default": shared.cache}
    said = examined()
    assert {name: each["level"] for name, each in said.items() if name.startswith("cache.")} == {
        "cache.shared": "ok",
        "cache.works": "ok",
        **({"cache.eviction": "ok"} if kind == "redis" else {}),
    }
    if kind == "redis":
        with Redis.from_url(shared.cache["LOCATION"]) as client:
            assert client.dbsize() == 0
    assert shared.stop
    shared.stop()
    assert examined()["cache.works"]["level"] == "error"
    caches["default"].close()
    # Django leaves connections to Redis to the end of the process.
    if kind == "redis":
        vars(caches["default"])["_cache"].get_client(None).connection_pool.disconnect()
