"""The checks of the API key, the API version and the clock. `test_findings` has those of the environment."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests
from pytest_django import Settings

from alguna_portal.bulk.rate_limiter import RateLimiter
from alguna_portal.doctor import probes
from alguna_portal.doctor.probes import ReadOnlyClient
from alguna_portal.models import Customer
from alguna_portal.sandbox.engine.types import Response
from tests.doctor.conftest import WEBHOOK, FakeApi, run_doctor


def test_valid_key_is_tried_once(healthy: Settings, api: FakeApi) -> None:
    report = run_doctor()
    assert report.get_level("key.works") == report.get_level("api.version") == report.get_level("clock.skew") == "ok"
    assert api.requests[0] == "GET /customers?limit=1&offset=0"


def test_missing_key_is_an_error(healthy: Settings, api: FakeApi) -> None:
    """The system check for it is left out, and no request is sent."""
    healthy.ALGUNA_PORTAL_API_KEY = ""
    report = run_doctor()
    assert report.get_level("key.set") == "error"
    assert "Create an API key" in report["key.set"]["remedy"]
    assert "settings.W001" not in report
    assert report["customers.examined"]["found"] == "Not to be looked at while ALGUNA_PORTAL_API_KEY is wrong."
    assert not api.requests


def test_rejected_key_is_an_error(healthy: Settings) -> None:
    healthy.ALGUNA_PORTAL_API_KEY = "key_1.another"
    report = run_doctor()
    assert report["key.works"]["found"] == "Alguna refuses the key (401)."
    assert "do not work for each other" in report["key.works"]["remedy"]
    assert "api.version" not in report
    assert report.get_level("clock.skew") == "ok"
    assert report.get_level("customers.known") == "skipped"


@pytest.mark.parametrize(
    ("status", "body", "name", "found", "remedy"),
    [
        (403, b'{"detail": "No."}', "key.works", "The key may not read customers. Alguna answered 403 (“No.”)", ""),
        (429, b"{}", "key.works", "Alguna could not be asked.", ""),
        (503, b"{}", "key.works", "Alguna could not be asked.", ""),
        (200, b"<html>", "key.works", "What answers is not Alguna's API.", "ALGUNA_PORTAL_API_URL"),
        (400, b'{"detail": "Old."}', "api.version", "version 2026-04-01. Alguna answered 400 (“Old.”)", ""),
    ],
)
def test_error_response_is_reported_once(
    healthy: Settings, api: FakeApi, status: int, body: bytes, name: str, found: str, remedy: str
) -> None:
    """The call is not repeated, and no other call is made."""
    healthy.ALGUNA_PORTAL_RETRIES = 3
    api.respond = lambda _request: Response(status=status, body=body)
    report = run_doctor()
    assert report.get_level(name) == "error"
    assert found in report[name]["found"]
    assert remedy in report[name]["remedy"]
    assert [each for each in ("key.works", "api.version") if each in report] == [name]
    assert len(api.requests) == 1


def test_failed_connection_is_an_error(healthy: Settings, api: FakeApi) -> None:
    api.http.replace("GET", WEBHOOK, status=405)

    def drop(_request: object) -> Response:
        raise requests.ConnectionError("key_1.secret-of-the-tests")

    api.respond = drop
    report = run_doctor()
    assert report.get_level("key.works") == "error"
    assert report.get_level("clock.skew") == "skipped"


@pytest.mark.parametrize(("status", "level"), [(200, "ok"), (404, "skipped"), (401, "error")])
def test_legacy_api_version_is_skipped(healthy: Settings, api: FakeApi, status: int, level: str) -> None:
    """The key can be tried if the legacy API has customers."""
    healthy.ALGUNA_PORTAL_API_VERSION = "legacy"
    healthy.ALGUNA_PORTAL_PLANS = {"starter": {}}
    healthy.ALGUNA_PORTAL_PLAN_IDS = {"plan_1": "starter"}
    if status != 200:
        api.fail(status)
    report = run_doctor()
    assert report.get_level("key.works") == level
    assert report.get_level("api.version") == "skipped"


@pytest.mark.parametrize(
    ("seconds", "level", "found"),
    [
        (0, "ok", "less than a second apart"),
        (58, "ok", "s apart."),
        (-58, "ok", "s apart."),
        (62, "warning", "behind Alguna's."),
        (-62, "warning", "ahead of Alguna's."),
        (238, "warning", "behind"),
        (-238, "warning", "ahead"),
        (243, "error", "behind"),
        (-243, "error", "ahead"),
    ],
)
def test_clock_skew(healthy: Settings, api: FakeApi, seconds: int, level: str, found: str) -> None:
    api.get_date = lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    finding = run_doctor()["clock.skew"]
    assert finding["level"] == level
    assert found in finding["found"]


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026"])
def test_invalid_date_header_is_skipped(healthy: Settings, api: FakeApi, date: str) -> None:
    api.get_date = lambda: date
    assert run_doctor().get_level("clock.skew") == "skipped"


def test_client_cannot_write(healthy: Settings, api: FakeApi) -> None:
    with pytest.raises(TypeError, match="only reads"):
        ReadOnlyClient.create().create_customer(alias="a", name="b", currency="EUR")
    assert not api.requests


def test_calls_are_rate_limited(healthy: Settings, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rate is half of Alguna's limit."""
    rates: list[int] = []

    class CountingRateLimiter(RateLimiter):
        def turn(self) -> int:
            rates.append(self._turns.maxlen or 0)
            return super().turn()

    monkeypatch.setattr(probes, "RateLimiter", CountingRateLimiter)
    Customer.objects.create(alias="gone", customer_id="cust_gone")
    run_doctor()
    assert rates == [50] * len(api.requests)
    assert len(rates) > 2
