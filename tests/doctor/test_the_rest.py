"""Settings, the sandbox, encryption and workers."""

from typing import Any

import pytest
from pytest_django import Settings

from alguna_portal.doctor import encryption
from tests.doctor.conftest import examined


def test_what_the_system_checks_say_is_said(well: Settings) -> None:
    """By their ids, and with their hints."""
    well.ALGUNA_PORTAL_RETRIES = "three"
    well.ALGUNA_PORTAL_PLAN = {}
    said = examined("--offline")
    assert said.level("settings.E006") == "error"
    assert said.level("settings.W002") == "warning"
    assert said["settings.W002"]["remedy"] == "Did you mean ALGUNA_PORTAL_PLANS?"
    assert "settings.valid" not in said


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("INSTALLED_APPS", ["alguna_portal.sandbox"], "alguna_portal.sandbox is in INSTALLED_APPS."),
        ("ALGUNA_PORTAL_API_URL", "https://example.com/sandbox/", "ALGUNA_PORTAL_API_URL leads to a sandbox."),
        ("ALGUNA_PORTAL_API_KEY", "sandbox.secret", "ALGUNA_PORTAL_API_KEY is the sandbox's."),
        ("ALGUNA_SANDBOX_API_KEY", "key_1.secret-of-the-tests", "ALGUNA_PORTAL_API_KEY is the sandbox's."),
    ],
)
@pytest.mark.parametrize(("debug", "level"), [(False, "error"), (True, "note")])
def test_a_sandbox_that_is_left_on_is_said(
    well: Settings, name: str, value: Any, words: str, debug: bool, level: str
) -> None:
    """By each of its traces; during development that is what it is for."""
    well.DEBUG = debug
    setattr(well, name, well.INSTALLED_APPS + value if name == "INSTALLED_APPS" else value)
    said = examined("--offline")["sandbox.off"]
    assert said["level"] == level
    assert words.rstrip(".") in said["found"]


@pytest.mark.parametrize("debug", [False, True])
def test_this_very_machine_is_no_trace_of_the_sandbox_by_itself(well: Settings, debug: bool) -> None:
    """It may be a proxy; beside another trace it is a second one."""
    well.DEBUG, well.ALGUNA_PORTAL_API_URL = debug, "http://127.0.0.1:4143"
    assert examined("--offline").level("sandbox.off") == "ok"
    well.ALGUNA_PORTAL_API_KEY = "sandbox.secret"
    assert (
        "is the sandbox's; ALGUNA_PORTAL_API_URL leads to this very machine"
        in (examined("--offline")["sandbox.off"]["found"])
    )


def test_without_a_key_there_is_no_trace_of_the_sandbox(well: Settings) -> None:
    """That it is missing is said elsewhere."""
    well.ALGUNA_PORTAL_API_KEY = ""
    assert examined("--offline").level("sandbox.off") == "ok"


@pytest.mark.parametrize(
    ("location", "level"),
    [
        ("redis://cache.example.com:6379", "note"),
        (["redis://127.0.0.1", "rediss://user:password@10.0.0.7/1"], "note"),
        ("10.0.0.7:11211", "note"),
        ("127.0.0.1:11211;cache.example.com:11211", "note"),
        ("redis://localhost:6379", "ok"),
        ("unix:/run/redis.sock", "ok"),
        ("/run/memcached.sock", "ok"),
        ("redis://[nowhere", "ok"),
        ("portal_cache", "ok"),
        ("", "ok"),
    ],
)
def test_sessions_in_plain_on_another_machine_are_a_note(well: Settings, location: Any, level: str) -> None:
    """As far as the cache's location tells."""
    well.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache", "LOCATION": location}}
    assert examined("--offline").level("encryption.on") == level


def test_encryption_is_tried(well: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it seals it can read again."""
    well.ALGUNA_PORTAL_ENCRYPT_CACHE = True
    assert examined("--offline")["encryption.on"]["found"] == "Cached sessions are encrypted."
    monkeypatch.setattr(encryption, "decrypt", lambda _token: None)
    assert examined("--offline").level("encryption.on") == "error"


@pytest.mark.parametrize(
    ("tasks", "debug", "level", "words"),
    [
        (None, False, "note", "done at once"),
        (None, True, "ok", "done at once"),
        ("django.tasks.backends.immediate.ImmediateBackend", False, "note", "done at once"),
        ("django.tasks.backends.dummy.DummyBackend", False, "warning", "does nothing"),
        ("django.tasks.backends.dummy.DummyBackend", True, "note", "does nothing"),
        ("acme.queues.Redis", False, "ok", "Tasks go to a Redis."),
    ],
)
def test_tasks_that_nobody_does_are_said(
    well: Settings, tasks: str | None, debug: bool, level: str, words: str
) -> None:
    """Where nothing is set, they are done at once."""
    well.ALGUNA_PORTAL_USE_TASKS, well.DEBUG = True, debug
    if tasks:
        well.TASKS = {"default": {"BACKEND": tasks}}
    said = examined("--offline")["workers.backend"]
    assert said["level"] == level
    assert words in said["found"]
