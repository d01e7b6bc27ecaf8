"""Findings that follow from settings alone, without requests."""

from typing import Any

import pytest
from django.conf import settings
from pytest_django import Settings

from tests.conftest import API
from tests.doctor.conftest import SECRET, run_doctor

SANDBOX_API = "https://api.sandbox.alguna.io"
CACHE_BACKENDS = "django.core.cache.backends"
TASK_BACKENDS = "django.tasks.backends"
SECRETS_FOUND = "1 entry of ALGUNA_PORTAL_WEBHOOK_SECRETS too short to be one of Alguna's (no. 2)."
PRODUCTION_FOUND = "production API: customers and their bills are real"


def cache(backend: str, location: Any = "redis://localhost") -> dict[str, Any]:
    """Return settings with a cache."""
    path = backend if "." in backend else f"tests.doctor.cache_backends.{backend}"
    return {"CACHES": {"default": {"BACKEND": path, "LOCATION": location}}}


def tasks(backend: str | None, *, debug: bool = False) -> dict[str, Any]:
    """Return settings that use background tasks."""
    backends = {"TASKS": {"default": {"BACKEND": backend}}} if backend else {}
    return {"ALGUNA_PORTAL_USE_TASKS": True, "DEBUG": debug, **backends}


def site(url: str, hosts: list[str], *, debug: bool = False) -> dict[str, Any]:
    """Return settings with the site's URL and host names."""
    return {"ALGUNA_PORTAL_SITE_URL": url, "ALLOWED_HOSTS": hosts, "DEBUG": debug}


def secret_key(key: str, *, fallbacks: tuple[str, ...] = (), debug: bool = False) -> dict[str, Any]:
    """Return settings with secret keys."""
    return {"SECRET_KEY": key, "SECRET_KEY_FALLBACKS": list(fallbacks), "DEBUG": debug}


CASES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("settings.E021", "error", "", {"ALGUNA_PORTAL_SITE_URL": "app.example.com"}),
    ("links.examined", "skipped", "", {"ALGUNA_PORTAL_SITE_URL": "app.example.com"}),
    # The environment depends on the host only, since the key is not sent to other hosts.
    ("key.environment", "ok", f"{PRODUCTION_FOUND}.", {"ALGUNA_PORTAL_API_URL": API}),
    ("key.environment", "warning", f"{PRODUCTION_FOUND}, and DEBUG is on.", {"DEBUG": True}),
    ("key.environment", "ok", "Alguna's sandbox", {"ALGUNA_PORTAL_API_URL": SANDBOX_API, "DEBUG": True}),
    ("key.environment", "warning", "customers would see test data", {"ALGUNA_PORTAL_API_URL": SANDBOX_API}),
    (
        "key.environment",
        "ok",
        "the app's sandbox",
        {"ALGUNA_PORTAL_API_URL": "http://localhost:8000/sandbox", "DEBUG": True},
    ),
    (
        "key.environment",
        "warning",
        "on this very machine; the key goes there.",
        {"ALGUNA_PORTAL_API_URL": "http://127.0.0.1:4143"},
    ),
    (
        "key.environment",
        "warning",
        "Asks proxy.example.com, which is none of Alguna's",
        {"ALGUNA_PORTAL_API_URL": "https://proxy.example.com"},
    ),
    # A missing key is an error of the account, not a trace of the sandbox.
    ("sandbox.off", "ok", "", {"ALGUNA_PORTAL_API_KEY": ""}),
    ("hosts.list", "error", "", {"ALGUNA_PORTAL_URL_HOSTS": []}),
    ("cache.shared", "warning", "", cache(f"{CACHE_BACKENDS}.locmem.LocMemCache")),
    ("cache.shared", "note", "", cache(f"{CACHE_BACKENDS}.locmem.LocMemCache") | {"DEBUG": True}),
    ("cache.shared", "warning", "", cache(f"{CACHE_BACKENDS}.dummy.DummyCache")),
    ("cache.shared", "ok", "", cache("FakeRedisCache")),
    ("cache.works", "error", "does not give back what was put into it", cache("ForgetfulCache")),
    ("cache.works", "error", "locks nothing", cache("UnlockedCache")),
    ("cache.works", "error", "does not forget what was deleted", cache("UndeletableCache")),
    ("cache.works", "error", "fails (ConnectionError)", cache("BrokenCache")),
    ("cache.works", "warning", "ms a round trip", cache("SlowCache")),
    ("cache.works", "skipped", "keeps nothing", cache(f"{CACHE_BACKENDS}.dummy.DummyCache")),
    *[
        ("encryption.on", level, "", cache(f"{CACHE_BACKENDS}.dummy.DummyCache", location))
        for location, level in [
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
        ]
    ],
    ("links.site", "ok", "", site("https://app.example.com", [".example.com"])),
    ("links.site", "error", "", site("https://app.example.com", [])),
    ("links.site", "error", "", site("https://app.example.com", ["example.com"])),
    ("links.site", "error", "", site("http://localhost:8000", ["*"])),
    ("links.site", "ok", "", site("http://localhost:8000", [], debug=True)),
    ("links.site", "ok", "", site("http://[::1]:8000", [], debug=True)),
    ("links.site", "error", "", site("https://app.example.com", [], debug=True)),
    ("links.signing", "ok", "Those signed with 1 former key still work.", {"SECRET_KEY_FALLBACKS": ["b2" * 30]}),
    ("links.secret", "warning", "", secret_key("django-insecure-" + "a1" * 30)),
    ("links.secret", "warning", "", secret_key("short-one")),
    ("links.secret", "note", "", secret_key("short-one", debug=True)),
    ("links.secret", "ok", "", secret_key("a1" * 30)),
    ("links.secret", "error", "", secret_key("a1" * 30, fallbacks=("",))),
    ("mail.sender", "warning", "", {"DEFAULT_FROM_EMAIL": "webmaster@localhost"}),
    ("mail.sender", "note", "", {"DEFAULT_FROM_EMAIL": "webmaster@localhost", "DEBUG": True}),
    ("workers.backend", "note", "done at once", tasks(None)),
    ("workers.backend", "ok", "done at once", tasks(None, debug=True)),
    ("workers.backend", "note", "done at once", tasks(f"{TASK_BACKENDS}.immediate.ImmediateBackend")),
    ("workers.backend", "warning", "does nothing", tasks(f"{TASK_BACKENDS}.dummy.DummyBackend")),
    ("workers.backend", "note", "does nothing", tasks(f"{TASK_BACKENDS}.dummy.DummyBackend", debug=True)),
    ("workers.backend", "ok", "Tasks go to a Redis.", tasks("acme.queues.Redis")),
    *[
        ("webhooks.secrets", "error", SECRETS_FOUND, {"ALGUNA_PORTAL_WEBHOOK_SECRETS": [SECRET, secret]})
        for secret in ("whsec_c2hvcnQ=", "c2hvcnQ", "whsec_" + "a" * 20)
    ],
    (
        "webhooks.plan_ids",
        "note",
        "No plan id of Alguna's leads to “enterprise”, “growth”.",
        {"ALGUNA_PORTAL_PLAN_IDS": {"plan_1": "starter"}},
    ),
    ("webhooks.plan_ids", "warning", "", {"ALGUNA_PORTAL_PLAN_IDS": {}}),
]


@pytest.mark.parametrize(("name", "level", "found", "changes"), CASES)
def test_settings_lead_to_finding(
    healthy: Settings, name: str, level: str, found: str, changes: dict[str, Any]
) -> None:
    for setting, value in changes.items():
        setattr(healthy, setting, value)
    report = run_doctor("--offline")
    assert report.get_level(name) == level
    assert found in report[name]["found"]
    # The system check for an unshared cache is left out, since `cache.shared` says the same.
    assert "settings.W005" not in report


@pytest.mark.parametrize(
    ("setting", "value", "trace"),
    [
        ("INSTALLED_APPS", settings.INSTALLED_APPS, "alguna_portal.sandbox is in INSTALLED_APPS"),
        ("ALGUNA_PORTAL_API_URL", "https://example.com/sandbox/", "ALGUNA_PORTAL_API_URL leads to a sandbox"),
        ("ALGUNA_PORTAL_API_KEY", "sandbox.secret", "ALGUNA_PORTAL_API_KEY is the sandbox's"),
        ("ALGUNA_SANDBOX_API_KEY", "key_1.secret-of-the-tests", "ALGUNA_PORTAL_API_KEY is the sandbox's"),
    ],
)
@pytest.mark.parametrize(("debug", "level"), [(False, "error"), (True, "note")])
def test_sandbox_is_found_by_each_trace(
    healthy: Settings, setting: str, value: Any, trace: str, debug: bool, level: str
) -> None:
    healthy.DEBUG = debug
    setattr(healthy, setting, value)
    finding = run_doctor("--offline")["sandbox.off"]
    assert finding["level"] == level
    assert trace in finding["found"]


@pytest.mark.parametrize("debug", [False, True])
def test_loopback_api_url_counts_only_beside_another_trace(healthy: Settings, debug: bool) -> None:
    """A loopback address alone may be a proxy."""
    healthy.DEBUG, healthy.ALGUNA_PORTAL_API_URL = debug, "http://127.0.0.1:4143"
    assert run_doctor("--offline").get_level("sandbox.off") == "ok"
    healthy.ALGUNA_PORTAL_API_KEY = "sandbox.secret"
    traces = "is the sandbox's; ALGUNA_PORTAL_API_URL leads to this very machine"
    assert traces in run_doctor("--offline")["sandbox.off"]["found"]


def test_system_check_hint_is_the_remedy(healthy: Settings) -> None:
    healthy.ALGUNA_PORTAL_RETRIES = "three"
    healthy.ALGUNA_PORTAL_PLAN = {}
    report = run_doctor("--offline")
    assert report.get_level("settings.E006") == "error"
    assert report.get_level("settings.W002") == "warning"
    assert report["settings.W002"]["remedy"] == "Did you mean ALGUNA_PORTAL_PLANS?"
    assert "settings.valid" not in report
