"""Retries: the same request again while the budget lasts, whatever the server does; and a log without secrets."""

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
from tests.conftest import Alguna
from tests.support import misbehaving_servers as servers
from tests.support.logs import logged


@pytest.fixture(autouse=True)
def _two_retries(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_RETRIES = 2


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client waited each time, without the waiting."""
    seconds: list[float] = []
    monkeypatch.setattr("alguna_portal.api.retries.pause", seconds.append)
    return seconds


def create(**options: Any) -> str:
    """Ask for a session; return its URL."""
    return AlgunaClient.from_settings().create_portal_session("acme-1", PortalSettings(), **options).url


@pytest.mark.parametrize(
    ("failure", "headers"),
    [(408, {}), (429, {}), (500, {}), (502, {}), (503, {}), (504, {}), (409, {"Retry_After": "0"}),
     (requests.ConnectionError(), {}), (requests.ConnectTimeout(), {}), (requests.ReadTimeout(), {})],
)  # fmt: skip
def test_what_passes_is_tried_again_under_the_same_key(
    alguna: Alguna, slept: list[float], failure: Any, headers: dict[str, str]
) -> None:
    """The second attempt succeeds, and Alguna can tell that it is the same request."""
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
def test_what_will_not_pass_is_not_tried_again(
    alguna: Alguna, slept: list[float], status: int, body: str, kind: type[AlgunaError]
) -> None:
    """A refusal stays one."""
    alguna.fail(status, body)
    with pytest.raises(kind):
        create()
    assert len(alguna.requests) == 1


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_it_is_tried_as_often_as_the_setting_says(
    settings: Settings, alguna: Alguna, slept: list[float], retries: int
) -> None:
    """Then the last failure is the call's."""
    settings.ALGUNA_PORTAL_RETRIES = retries
    for status in (500, 502, 503, 504, 500)[: retries + 1]:
        alguna.fail(status)
    with pytest.raises(AlgunaUnavailable) as caught:
        create()
    assert len(alguna.requests) == retries + 1
    assert caught.value.status == alguna.failed[-1]


def test_without_advice_it_backs_off_with_jitter(settings: Settings, alguna: Alguna, slept: list[float]) -> None:
    """Each wait is drawn between nothing and a bound that doubles; no two callers march in step."""
    settings.ALGUNA_PORTAL_RETRIES = 6
    settings.ALGUNA_PORTAL_TIME_BUDGET = 1000
    for _ in range(6):
        alguna.fail(503)
    create()
    assert all(0 <= wait <= min(0.25 * 2**number, 4) for number, wait in enumerate(slept))
    assert len(set(slept)) == 6


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_alguna_says_how_long_to_wait(alguna: Alguna, slept: list[float], form: str) -> None:
    """`Retry-After` is honoured in both its forms."""
    now = datetime.now(UTC)
    date = format_datetime(now.replace(tzinfo=UTC) + timedelta(seconds=3), usegmt=True)
    alguna.fail(429, Retry_After="3" if form == "seconds" else date, Date=format_datetime(now, usegmt=True))
    create()
    assert slept == [3]


def test_a_wait_that_outlasts_the_budget_is_not_begun(alguna: Alguna, slept: list[float]) -> None:
    """The user hears at once when to come back, instead of waiting for nothing."""
    alguna.fail(503, Retry_After="60")
    with pytest.raises(AlgunaUnavailable) as caught:
        create()
    assert caught.value.retry_after == 60
    assert len(alguna.requests) == 1
    assert slept == []


def test_every_retry_is_logged_and_no_log_has_a_secret(
    alguna: Alguna, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """Which attempt failed, how long until the next, and why; nothing that Alguna quoted of ours."""
    leaky = '{"detail": "bob@acme.example key_1.secret-of-the-tests https://portal.alguna.io/hs/t"}'
    alguna.fail(503, leaky, Retry_After="1")
    alguna.fail(requests.ConnectionError("key_1.secret-of-the-tests"))
    create()
    (level, first, fields), (_, second, of_second) = logged(caplog, "call_repeated")
    assert first.startswith("Attempt 1 failed and is repeated in 1.0 s. Alguna answered 503 (“[e-mail] [key] [URL]”).")
    assert second.startswith(f"Attempt 2 failed and is repeated in {slept[1]:.1f} s. Alguna cannot be reached")
    assert (level, fields) == ("WARNING", {"attempt": 1, "error": "AlgunaUnavailable", "status": 503, "seconds": 1.0})
    assert of_second == {"attempt": 2, "error": "AlgunaUnavailable", "status": None, "seconds": slept[1]}
    assert not any(leak in caplog.text for leak in ("bob@", "secret-of-the-tests", "hs/t"))


@pytest.mark.parametrize(
    "behave",
    [
        servers.hang,
        servers.drip_body,
        servers.drip_head,
        servers.answer_garbage,
        servers.reset_in_body,
        servers.close_at_once,
    ],
    ids=lambda behave: str(behave.__name__),
)
def test_the_call_ends_within_its_budget_whatever_the_server_does(settings: Settings, behave: servers.Behave) -> None:
    """Each of these servers would keep a caller for half a minute, or longer, or tries to confuse it."""
    settings.ALGUNA_PORTAL_TIMEOUT = (1, 10)
    settings.ALGUNA_PORTAL_TIME_BUDGET = 1
    with servers.served(behave) as settings.ALGUNA_PORTAL_API_URL:
        started = monotonic()
        with pytest.raises(AlgunaUnavailable):
            create()
    # The bound that must hold is 1; what is more is for a busy machine.
    assert monotonic() - started < 5


@pytest.mark.parametrize("behave", [servers.flood, servers.bomb], ids=["flood", "bomb"])
def test_a_body_without_end_is_not_read_to_its_end(settings: Settings, behave: servers.Behave) -> None:
    """Neither by its length, nor by what it unpacks to."""
    with (
        servers.served(behave) as settings.ALGUNA_PORTAL_API_URL,
        pytest.raises(UnexpectedResponse, match="more than 1048576"),
    ):
        create()


@pytest.mark.parametrize("within", [0, -1])
def test_without_time_left_nothing_is_sent(alguna: Alguna, within: float) -> None:
    """And it is not Alguna's failure."""
    with pytest.raises(AlgunaUnavailable, match=r"^There was no time left to ask Alguna\. Try again later\.$"):
        create(within=within)
    assert alguna.requests == []


def test_with_half_a_second_left_it_is_tried(alguna: Alguna) -> None:
    """Alguna may well be quick enough."""
    assert create(within=0.5) == alguna.url(1)


def test_a_caller_may_have_less_time_than_the_budget(alguna: Alguna, slept: list[float]) -> None:
    """And never more."""
    alguna.fail(503, Retry_After="5")
    with pytest.raises(AlgunaUnavailable):
        create(within=4)
    alguna.fail(503, Retry_After="50")
    with pytest.raises(AlgunaUnavailable):
        create(within=1000)
    assert slept == []
