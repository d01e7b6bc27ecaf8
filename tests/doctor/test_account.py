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
from alguna_portal.sandbox.engine.types import Answer
from tests.doctor.conftest import WEBHOOK, FakeAccount, run_doctor


def test_valid_key_is_tried_once(healthy: Settings, account: FakeAccount) -> None:
    report = run_doctor()
    assert report.get_level("key.works") == report.get_level("api.version") == report.get_level("clock.skew") == "ok"
    assert account.requests[0] == "GET /customers?limit=1&offset=0"


def test_missing_key_is_an_error(healthy: Settings, account: FakeAccount) -> None:
    """The system check for it is left out, and no request is sent."""
    healthy.ALGUNA_PORTAL_API_KEY = ""
    report = run_doctor()
    assert report.get_level("key.set") == "error"
    assert "Create an API key" in report["key.set"]["remedy"]
    assert "settings.W001" not in report
    assert report["customers.examined"]["found"] == "Not to be looked at while ALGUNA_PORTAL_API_KEY is wrong."
    assert not account.requests


def test_rejected_key_is_an_error(healthy: Settings) -> None:
    healthy.ALGUNA_PORTAL_API_KEY = "key_1.another"
    report = run_doctor()
    assert report["key.works"]["found"] == "Alguna refuses the key (401)."
    assert "do not work for each other" in report["key.works"]["remedy"]
    assert "api.version" not in report
    assert report.get_level("clock.skew") == "ok"
    assert report.get_level("customers.known") == "skipped"


def test_key_without_permission_is_an_error(healthy: Settings, account: FakeAccount) -> None:
    account.fail(403, "Not allowed.")
    found = "The key may not read customers. Alguna answered 403 (“Not allowed.”)"
    assert run_doctor()["key.works"]["found"].startswith(found)


@pytest.mark.parametrize("status", [429, 503])
def test_unavailable_api_is_called_once(healthy: Settings, account: FakeAccount, status: int) -> None:
    healthy.ALGUNA_PORTAL_RETRIES = 3
    account.fail(status)
    report = run_doctor()
    assert report["key.works"]["found"] == "Alguna could not be asked."
    assert report.get_level("key.works") == "error"
    assert len(account.requests) == 1


def test_failed_connection_is_an_error(healthy: Settings, account: FakeAccount) -> None:
    account.http.replace("GET", WEBHOOK, status=405)

    def drop(_request: object) -> Answer:
        raise requests.ConnectionError("key_1.secret-of-the-tests")

    account.respond = drop
    report = run_doctor()
    assert report.get_level("key.works") == "error"
    assert report.get_level("clock.skew") == "skipped"


def test_html_response_is_an_error(healthy: Settings, account: FakeAccount) -> None:
    account.respond = lambda _request: Answer(status=200, body=b"<html>")
    report = run_doctor()
    assert report["key.works"]["found"] == "What answers is not Alguna's API."
    assert "ALGUNA_PORTAL_API_URL" in report["key.works"]["remedy"]


def test_rejected_version_is_an_error(healthy: Settings, account: FakeAccount) -> None:
    account.fail(400, "The header Alguna-Version is too old.")
    report = run_doctor()
    assert report.get_level("api.version") == "error"
    found = "version 2026-04-01. Alguna answered 400 (“The header Alguna-Version is too old.”)"
    assert found in report["api.version"]["found"]
    assert "key.works" not in report


@pytest.mark.parametrize(("status", "level"), [(200, "ok"), (404, "skipped"), (401, "error")])
def test_legacy_api_version_is_skipped(healthy: Settings, account: FakeAccount, status: int, level: str) -> None:
    """The key can be tried if the legacy API has customers."""
    healthy.ALGUNA_PORTAL_API_VERSION = "legacy"
    healthy.ALGUNA_PORTAL_PLANS = {"starter": {}}
    healthy.ALGUNA_PORTAL_PLAN_IDS = {"plan_1": "starter"}
    if status != 200:
        account.fail(status)
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
def test_clock_skew(healthy: Settings, account: FakeAccount, seconds: int, level: str, found: str) -> None:
    """One minute is a warning, four minutes are an error."""
    account.get_date = lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    finding = run_doctor()["clock.skew"]
    assert finding["level"] == level
    assert found in finding["found"]


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026"])
def test_invalid_date_header_is_skipped(healthy: Settings, account: FakeAccount, date: str) -> None:
    account.get_date = lambda: date
    assert run_doctor().get_level("clock.skew") == "skipped"


def test_client_cannot_write(healthy: Settings, account: FakeAccount) -> None:
    with pytest.raises(TypeError, match="only reads"):
        ReadOnlyClient.create().create_customer(alias="a", name="b", currency="EUR")
    assert not account.requests


def test_calls_are_rate_limited(healthy: Settings, account: FakeAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rate is half of Alguna's limit."""
    rates: list[int] = []

    class CountingRateLimiter(RateLimiter):
        def turn(self) -> int:
            rates.append(self._given.maxlen or 0)
            return super().turn()

    monkeypatch.setattr(probes, "RateLimiter", CountingRateLimiter)
    Customer.objects.create(alias="gone", customer_id="cust_gone")
    run_doctor()
    assert rates == [50] * len(account.requests)
    assert len(rates) > 2
