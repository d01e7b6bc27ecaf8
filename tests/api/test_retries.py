"""Retries: the same request again within the time budget, logged without secrets."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import monotonic
from typing import Any

import pytest
import requests
from pytest_django import Settings

from alguna_portal.api.client import AlgunaClient
from alguna_portal.exceptions import AlgunaError, AlgunaRefused, AlgunaUnavailable, CustomerUnknown, UnexpectedResponse
from alguna_portal.portal_settings import PortalSettings
from tests.conftest import FakeApi
from tests.support import misbehaving_servers as servers
from tests.support.logs import get_log_events


@pytest.fixture(autouse=True)
def _two_retries(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_RETRIES = 2


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the client's waits in seconds instead of waiting."""
    seconds: list[float] = []
    monkeypatch.setattr("alguna_portal.api.retries.pause", seconds.append)
    return seconds


def create(**options: Any) -> str:
    """Create a portal session; return its URL."""
    return AlgunaClient.from_settings().create_portal_session("acme-1", PortalSettings(), **options).url


@pytest.mark.parametrize(
    ("failure", "headers"),
    [(408, {}), (429, {}), (500, {}), (502, {}), (503, {}), (504, {}), (409, {"Retry_After": "0"}),
     (requests.ConnectionError(), {}), (requests.ConnectTimeout(), {}), (requests.ReadTimeout(), {})],
)  # fmt: skip
def test_temporary_failure_is_retried_with_the_same_idempotency_key(
    alguna: FakeApi, slept: list[float], failure: Any, headers: dict[str, str]
) -> None:
    alguna.fail(failure, **headers)
    assert create() == alguna.url(2)
    first, second = alguna.requests
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.body == second.body
    assert len(slept) == 1


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(400, "{}", AlgunaRefused), (401, "{}", AlgunaRefused), (404, '{"detail": "no"}', CustomerUnknown),
     (409, "{}", AlgunaRefused), (422, "{}", AlgunaRefused),
     (200, "<html>", UnexpectedResponse), (302, "", UnexpectedResponse)],
)  # fmt: skip
def test_permanent_failure_is_not_retried(
    alguna: FakeApi, slept: list[float], status: int, body: str, kind: type[AlgunaError]
) -> None:
    alguna.fail(status, body)
    with pytest.raises(kind):
        create()
    assert len(alguna.requests) == 1


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_retries_setting_limits_attempts(settings: Settings, alguna: FakeApi, slept: list[float], retries: int) -> None:
    settings.ALGUNA_PORTAL_RETRIES = retries
    for status in (500, 502, 503, 504, 500)[: retries + 1]:
        alguna.fail(status)
    with pytest.raises(AlgunaUnavailable) as caught:
        create()
    assert len(alguna.requests) == retries + 1
    assert caught.value.status == alguna.failed[-1]


def test_waits_are_random_with_a_bound_that_doubles(settings: Settings, alguna: FakeApi, slept: list[float]) -> None:
    settings.ALGUNA_PORTAL_RETRIES = 6
    settings.ALGUNA_PORTAL_TIME_BUDGET = 1000
    for _ in range(6):
        alguna.fail(503)
    create()
    assert all(0 <= wait <= min(0.25 * 2**number, 4) for number, wait in enumerate(slept))
    assert len(set(slept)) == 6


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_respected(alguna: FakeApi, slept: list[float], form: str) -> None:
    now = datetime.now(UTC)
    date = format_datetime(now.replace(tzinfo=UTC) + timedelta(seconds=3), usegmt=True)
    alguna.fail(429, Retry_After="3" if form == "seconds" else date, Date=format_datetime(now, usegmt=True))
    create()
    assert slept == [3]


@pytest.mark.parametrize(("wait", "within"), [(60, None), (5, 4), (50, 1000)])
def test_wait_longer_than_the_time_left_fails_at_once(
    alguna: FakeApi, slept: list[float], wait: int, within: float | None
) -> None:
    """`within` can shorten the time budget, but not extend it."""
    alguna.fail(503, Retry_After=str(wait))
    with pytest.raises(AlgunaUnavailable) as caught:
        create(within=within)
    assert caught.value.retry_after == wait
    assert len(alguna.requests) == 1
    assert slept == []


def test_every_retry_is_logged_without_secrets(
    alguna: FakeApi, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    leaky = '{"detail": "bob@acme.example key_1.secret-of-the-tests https://portal.alguna.io/hs/t"}'
    alguna.fail(503, leaky, Retry_After="1")
    alguna.fail(requests.ConnectionError("key_1.secret-of-the-tests"))
    create()
    (level, first, fields), (_, second, of_second) = get_log_events(caplog, "call_repeated")
    assert first.startswith("Attempt 1 failed and is repeated in 1.0 s. Alguna answered 503 (“[e-mail] [key] [URL]”).")
    assert second.startswith(f"Attempt 2 failed and is repeated in {slept[1]:.1f} s. Alguna cannot be reached")
    assert (level, fields) == ("WARNING", {"attempt": 1, "error": "AlgunaUnavailable", "status": 503, "seconds": 1.0})
    assert of_second == {"attempt": 2, "error": "AlgunaUnavailable", "status": None, "seconds": slept[1]}
    assert not any(leak in caplog.text for leak in ("bob@", "secret-of-the-tests", "hs/t"))


@pytest.mark.parametrize(
    "behave",
    [servers.hang, servers.drip_body, servers.drip_head, servers.answer_garbage, servers.reset_in_body,
     servers.close_at_once],
    ids=lambda behave: str(behave.__name__),
)  # fmt: skip
def test_call_ends_within_the_time_budget(settings: Settings, behave: servers.Behave) -> None:
    """These servers would block a caller for half a minute or send invalid responses."""
    settings.ALGUNA_PORTAL_TIMEOUT = (1, 10)
    settings.ALGUNA_PORTAL_TIME_BUDGET = 1
    with servers.run_server(behave) as settings.ALGUNA_PORTAL_API_URL:
        started = monotonic()
        with pytest.raises(AlgunaUnavailable):
            create()
    # The limit is 1; the rest is for a busy machine.
    assert monotonic() - started < 5


@pytest.mark.parametrize("behave", [servers.flood, servers.bomb], ids=["flood", "bomb"])
def test_large_body_is_not_read_completely(settings: Settings, behave: servers.Behave) -> None:
    """Neither if it is sent as such, nor if it is compressed."""
    with (
        servers.run_server(behave) as settings.ALGUNA_PORTAL_API_URL,
        pytest.raises(UnexpectedResponse, match="more than 1048576"),
    ):
        create()


@pytest.mark.parametrize("within", [0, -1])
def test_no_request_is_sent_without_time(alguna: FakeApi, within: float) -> None:
    with pytest.raises(AlgunaUnavailable, match=r"^There was no time left to ask Alguna\. Try again later\.$"):
        create(within=within)
    assert alguna.requests == []


def test_request_is_sent_with_half_a_second_left(alguna: FakeApi) -> None:
    assert create(within=0.5) == alguna.url(1)
