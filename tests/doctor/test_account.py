"""The key, the environment, the version and the clocks."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests
from pytest_django import Settings

from alguna_portal.bulk.rate_limiter import RateLimiter
from alguna_portal.doctor import probes
from alguna_portal.doctor.probes import ReadingClient
from alguna_portal.models import Customer
from alguna_portal.sandbox.engine.types import Response
from tests.conftest import API
from tests.doctor.conftest import Account, examined


def test_a_key_that_works_is_asked_about_once(well: Settings, account: Account) -> None:
    """For one customer, and with no retry."""
    said = examined()
    assert said.level("key.works") == said.level("api.version") == said.level("clock.skew") == "ok"
    assert account.requests[0] == "GET /customers?limit=1&offset=0"


def test_a_missing_key_is_an_error(well: Settings, account: Account) -> None:
    """Nothing works without one, whatever the system check lets pass; and nobody is asked."""
    well.ALGUNA_PORTAL_API_KEY = ""
    said = examined()
    assert said.level("key.set") == "error"
    assert "Create an API key" in said["key.set"]["remedy"]
    assert "settings.W001" not in said
    assert said["customers.examined"]["found"] == "Not to be looked at while ALGUNA_PORTAL_API_KEY is wrong."
    assert not account.requests


def test_a_key_that_is_refused_is_an_error(well: Settings) -> None:
    """It may be one of the other environment; it is not tried there."""
    well.ALGUNA_PORTAL_API_KEY = "key_1.another"
    said = examined()
    assert said["key.works"]["found"] == "Alguna refuses the key (401)."
    assert "do not work for each other" in said["key.works"]["remedy"]
    assert "api.version" not in said
    assert said.level("clock.skew") == "ok"
    assert said.level("customers.known") == "skipped"


def test_a_key_without_rights_is_an_error(well: Settings, account: Account) -> None:
    """It is another one than a wrong key."""
    account.fail(403, "Not allowed.")
    said = examined()
    assert said["key.works"]["found"].startswith("The key may not read customers. Alguna answered 403 (“Not allowed.”)")


@pytest.mark.parametrize("status", [429, 503])
def test_an_alguna_that_is_down_is_asked_once(well: Settings, account: Account, status: int) -> None:
    """And the breaker of the site's clicks learns nothing of it."""
    well.ALGUNA_PORTAL_RETRIES = 3
    account.fail(status)
    said = examined()
    assert said["key.works"]["found"] == "Alguna could not be asked."
    assert said.level("key.works") == "error"
    assert len(account.requests) == 1


def test_an_alguna_that_is_not_there_is_an_error(well: Settings, account: Account) -> None:
    """There is no time to compare with, either."""
    account.http.replace("GET", "https://app.example.com/billing/webhook/", status=405)

    def drop(_request: object) -> Response:
        raise requests.ConnectionError("key_1.secret-of-the-tests")

    account.answer = drop
    said = examined()
    assert said.level("key.works") == "error"
    assert said.level("clock.skew") == "skipped"


def test_a_page_in_place_of_the_api_is_an_error(well: Settings, account: Account) -> None:
    """The remedy names the setting."""
    account.answer = lambda _request: Response(status=200, body=b"<html>")
    said = examined()
    assert said["key.works"]["found"] == "What answers is not Alguna's API."
    assert "ALGUNA_PORTAL_API_URL" in said["key.works"]["remedy"]


def test_a_version_that_is_refused_is_an_error(well: Settings, account: Account) -> None:
    """What Alguna says of it is said."""
    account.fail(400, "The header Alguna-Version is too old.")
    said = examined()
    assert said.level("api.version") == "error"
    assert (
        "version 2026-04-01. Alguna answered 400 (“The header Alguna-Version is too old.”)"
        in (said["api.version"]["found"])
    )
    assert "key.works" not in said


@pytest.mark.parametrize(("status", "level"), [(200, "ok"), (404, "skipped"), (401, "error")])
def test_of_the_earlier_api_only_the_key_can_be_tried(
    well: Settings, account: Account, status: int, level: str
) -> None:
    """As far as it knows customers; its version would take a session to try."""
    well.ALGUNA_PORTAL_API_VERSION = "legacy"
    well.ALGUNA_PORTAL_PLANS = {"starter": {}}
    well.ALGUNA_PORTAL_PLAN_IDS = {"plan_1": "starter"}
    if status != 200:
        account.fail(status)
    said = examined()
    assert said.level("key.works") == level
    assert said.level("api.version") == "skipped"


@pytest.mark.parametrize(
    ("api_url", "debug", "level", "words"),
    [
        (API, False, "ok", "production API: customers and their bills are real."),
        (API, True, "warning", "production API: customers and their bills are real, and DEBUG is on."),
        ("https://api.sandbox.alguna.io", True, "ok", "Alguna's sandbox"),
        ("https://api.sandbox.alguna.io", False, "warning", "customers would see test data"),
        ("http://localhost:8000/sandbox", True, "ok", "the app's sandbox"),
        ("http://127.0.0.1:4143", False, "warning", "on this very machine; the key goes there."),
        ("https://proxy.example.com", False, "warning", "Asks proxy.example.com, which is none of Alguna's"),
    ],
)
def test_the_environment_is_named(well: Settings, api_url: str, debug: bool, level: str, words: str) -> None:
    """Judged by the host alone: the key is sent nowhere but there."""
    well.ALGUNA_PORTAL_API_URL = api_url
    well.DEBUG = debug
    said = examined("--offline")["key.environment"]
    assert said["level"] == level
    assert words in said["found"]


@pytest.mark.parametrize(
    ("seconds", "level", "words"),
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
def test_clocks_that_are_apart_are_said(well: Settings, account: Account, seconds: int, level: str, words: str) -> None:
    """By Alguna's own `Date`, in either direction; a minute is a warning, and four are an error."""
    account.date = lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    said = examined()["clock.skew"]
    assert said["level"] == level
    assert words in said["found"]


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026"])
def test_an_answer_without_a_time_compares_no_clocks(well: Settings, account: Account, date: str) -> None:
    """It is no error, either."""
    account.date = lambda: date
    assert examined().level("clock.skew") == "skipped"


def test_the_doctors_client_cannot_write(well: Settings, account: Account) -> None:
    """Whatever is asked of it."""
    with pytest.raises(TypeError, match="only reads"):
        ReadingClient.careful().create_customer(alias="a", name="b", currency="EUR")
    assert not account.requests


def test_alguna_is_asked_in_turn(well: Settings, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request waits for its own, at half of Alguna's limit."""
    turns: list[int] = []

    class Counting(RateLimiter):
        def turn(self) -> int:
            turns.append(self._given.maxlen or 0)
            return super().turn()

    monkeypatch.setattr(probes, "RateLimiter", Counting)
    Customer.objects.create(alias="gone", customer_id="cust_gone")
    examined()
    assert turns == [50] * len(account.requests)
    assert len(turns) > 2
