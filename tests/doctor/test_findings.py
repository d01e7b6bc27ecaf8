"""Findings that follow from settings alone, without requests."""

from typing import Any

import pytest
from django.conf import settings
from pytest_django import Settings

from tests.conftest import API
from tests.doctor.cache_backends import create_caches
from tests.doctor.conftest import SECRET, run_doctor

DJANGO = "django.core.cache.backends"
TASK_BACKENDS = "django.tasks.backends"
SECRETS_FOUND = "1 entry of ALGUNA_PORTAL_WEBHOOK_SECRETS too short to be one of Alguna's (no. 2)."
PLAN_IDS_FOUND = "No plan id of Alguna's leads to “enterprise”, “growth”."
PRODUCTION_FOUND = "production API: customers and their bills are real"


def api(url: str, *, debug: bool = False) -> dict[str, Any]:
    return {"ALGUNA_PORTAL_API_URL": url, "DEBUG": debug}


def tasks(backend: str | None, *, debug: bool = False) -> dict[str, Any]:
    backends = {"TASKS": {"default": {"BACKEND": backend}}} if backend else {}
    return {"ALGUNA_PORTAL_USE_TASKS": True, "DEBUG": debug, **backends}


def site(url: str, hosts: list[str], *, debug: bool = False) -> dict[str, Any]:
    return {"ALGUNA_PORTAL_SITE_URL": url, "ALLOWED_HOSTS": hosts, "DEBUG": debug}


def secret_key(key: str, *, fallbacks: tuple[str, ...] = (), debug: bool = False) -> dict[str, Any]:
    return {"SECRET_KEY": key, "SECRET_KEY_FALLBACKS": list(fallbacks), "DEBUG": debug}


CASES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("settings.E021", "error", "", {"ALGUNA_PORTAL_SITE_URL": "app.example.com"}),
    ("links.examined", "skipped", "", {"ALGUNA_PORTAL_SITE_URL": "app.example.com"}),
    # The environment depends on the host only, since the key is not sent to other hosts.
    ("key.environment", "ok", f"{PRODUCTION_FOUND}.", api(API)),
    ("key.environment", "warning", f"{PRODUCTION_FOUND}, and DEBUG is on.", api(API, debug=True)),
    ("key.environment", "ok", "Alguna's sandbox", api("https://api.sandbox.alguna.io", debug=True)),
    ("key.environment", "warning", "customers would see test data", api("https://api.sandbox.alguna.io")),
    ("key.environment", "ok", "the app's sandbox", api("http://localhost:8000/sandbox", debug=True)),
    ("key.environment", "warning", "on this very machine; the key goes there.", api("http://127.0.0.1:4143")),
    ("key.environment", "warning", "Asks proxy.example.com, which is none of", api("https://proxy.example.com")),
    *[
        ("sandbox.off", level, trace, {setting: value, "DEBUG": debug})
        for debug, level in [(False, "error"), (True, "note")]
        for setting, value, trace in [
            ("INSTALLED_APPS", settings.INSTALLED_APPS, "alguna_portal.sandbox is in INSTALLED_APPS"),
            ("ALGUNA_PORTAL_API_URL", "https://example.com/sandbox/", "ALGUNA_PORTAL_API_URL leads to a sandbox"),
            ("ALGUNA_PORTAL_API_KEY", "sandbox.secret", "ALGUNA_PORTAL_API_KEY is the sandbox's"),
            ("ALGUNA_SANDBOX_API_KEY", "key_1.secret-of-the-tests", "ALGUNA_PORTAL_API_KEY is the sandbox's"),
        ]
    ],
    # A missing key is an error of the account, not a trace of the sandbox.
    ("sandbox.off", "ok", "", {"ALGUNA_PORTAL_API_KEY": ""}),
    ("hosts.list", "error", "", {"ALGUNA_PORTAL_URL_HOSTS": []}),
    ("cache.shared", "warning", "", {"CACHES": create_caches(f"{DJANGO}.locmem.LocMemCache")}),
    ("cache.shared", "note", "", {"CACHES": create_caches(f"{DJANGO}.locmem.LocMemCache"), "DEBUG": True}),
    ("cache.shared", "warning", "", {"CACHES": create_caches(f"{DJANGO}.dummy.DummyCache")}),
    ("cache.shared", "ok", "", {"CACHES": create_caches("FakeRedisCache")}),
    ("cache.works", "error", "does not give back what was put into it", {"CACHES": create_caches("ForgetfulCache")}),
    ("cache.works", "error", "locks nothing", {"CACHES": create_caches("UnlockedCache")}),
    ("cache.works", "error", "does not forget what was deleted", {"CACHES": create_caches("UndeletableCache")}),
    ("cache.works", "error", "fails (ConnectionError)", {"CACHES": create_caches("BrokenCache")}),
    ("cache.works", "warning", "ms a round trip", {"CACHES": create_caches("SlowCache")}),
    ("cache.works", "skipped", "keeps nothing", {"CACHES": create_caches(f"{DJANGO}.dummy.DummyCache")}),
    *[
        ("encryption.on", level, "", {"CACHES": create_caches(f"{DJANGO}.dummy.DummyCache", LOCATION=location)})
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
    ("webhooks.plan_ids", "note", PLAN_IDS_FOUND, {"ALGUNA_PORTAL_PLAN_IDS": {"plan_1": "starter"}}),
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
