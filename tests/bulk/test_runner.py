"""The bulk runner: threads, memory, Ctrl-C and, on a real socket, the rate limit."""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from threading import Event, Lock, Semaphore, Thread, current_thread, main_thread
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError
from pytest_django import Settings

from alguna_portal.bulk.runner import ROWS_PER_WORKER, BulkRunner, RateLimitedClient
from alguna_portal.bulk.summary import Progress, Summary
from alguna_portal.exceptions import AlgunaError
from tests.support.engine_server import AlgunaServer, alguna_server


class RecordedProgress(Progress):
    """Progress that keeps its calls."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.shown: list[int] = []

    def show(self, summary: Summary, *, pause: float = 0.0) -> None:
        self.shown.append(summary.done)

    def write(self, text: str) -> None:
        self.messages.append(text)


def run(
    rows: Iterable[int], call_api: Callable[[int, RateLimitedClient], Any], *, rate: int = 5000, **options: Any
) -> Summary:
    """Process numbers, and return the summary."""
    summary = Summary(total=options.pop("total", 0) or len(list(rows)))
    defaults: dict[str, Any] = {
        "store": lambda _row, result: str(result),
        "key": lambda row: row,
        "client": RateLimitedClient.create(rate),
        "workers": 4,
        "progress": RecordedProgress(),
    }
    BulkRunner(call_api=call_api, **(defaults | options)).run(rows, summary)
    return summary


@pytest.mark.usefixtures("ctrl_c")
def test_only_api_calls_run_in_worker_threads() -> None:
    wrong_threads: list[str] = []

    def check_thread(what: str) -> None:
        if current_thread() is not main_thread():
            wrong_threads.append(what)

    def rows() -> Iterator[int]:
        for each in range(1, 40):
            check_thread("rows")
            yield each

    def call_api(row: int, _: RateLimitedClient) -> bool:
        return current_thread() is main_thread()

    def store(_: int, found: bool) -> str:
        check_thread("store")
        return "main" if found else "worker"

    summary = run(rows(), call_api, store=store, prepare=lambda _: check_thread("check"), total=39)
    assert summary.outcomes == {"worker": 39}
    assert not wrong_threads


def test_few_rows_are_in_progress_at_a_time() -> None:
    """All workers are busy."""
    read, stored, most = 0, 0, 0
    running, at_once, lock = 0, 0, Lock()

    def rows() -> Iterator[int]:
        nonlocal read, most
        for each in range(300):
            read += 1
            most = max(most, read - stored)
            yield each

    def call_api(row: int, _: RateLimitedClient) -> str:
        nonlocal running, at_once
        with lock:
            running += 1
            at_once = max(at_once, running)
        time.sleep(0.001)
        with lock:
            running -= 1
        return "done"

    def store(_row: int, found: str) -> str:
        nonlocal stored
        stored += 1
        return found

    run(rows(), call_api, store=store, total=300)
    assert stored == 300
    assert most <= ROWS_PER_WORKER * 4
    assert at_once == 4


def test_invalid_rows_are_shown_in_the_progress() -> None:
    def refuse(_: int) -> None:
        raise ValidationError({"name": ["missing", "really"], "currency": ["wrong"]})

    progress = RecordedProgress()
    summary = run(range(1, 4), lambda row, _: row, prepare=refuse, progress=progress)
    assert set(summary.failures.counts) == {"name: missing", "name: really", "currency: wrong"}
    assert summary.failed == 3
    assert {1, 2, 3} <= set(progress.shown)


def test_an_alguna_error_is_a_failure_of_its_row() -> None:
    def call_api(row: int, _: RateLimitedClient) -> str:
        if row == 2:
            raise AlgunaError("No.")
        return "done"

    summary = run(range(1, 5), call_api)
    assert summary.outcomes == {"done": 3}
    assert list(summary.failures.format()) == ["     1  AlgunaError: No. (pk 2)"]


def test_system_exit_in_a_worker_ends_the_run() -> None:
    def call_api(row: int, _: RateLimitedClient) -> str:
        raise SystemExit(row)

    with pytest.raises(SystemExit):
        run(range(5), call_api)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Python's default handler for Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_after_ctrl_c_no_rows_are_started_and_those_in_progress_are_stored() -> None:
    called: list[int] = []

    def call_api(row: int, _: RateLimitedClient) -> str:
        called.append(row)
        if row == 10:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.02)
        return "done"

    progress = RecordedProgress()
    summary = run(range(1000), call_api, progress=progress)
    assert summary.interrupted
    assert progress.messages == ["Interrupted: what is under way is finished first. Ctrl-C again leaves at once."]
    assert 10 < summary.outcomes["done"] == len(called) < 10 + 2 * 4 + 4
    assert summary.untried == 1000 - len(called)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_stops_invalid_rows_too() -> None:
    def refuse(row: int) -> None:
        if row == 10:
            os.kill(os.getpid(), signal.SIGINT)
        raise ValidationError({"name": ["missing"]})

    summary = run(range(1000), lambda row, _: row, prepare=refuse)
    assert summary.interrupted
    assert summary.failed < 20


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_a_pause() -> None:
    client = RateLimitedClient.create(1000)
    client.backoff.limiter.pause(60, new=True)

    def call_api(row: int, client: RateLimitedClient) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        client.backoff.limiter.turn()
        return "done"

    began = time.monotonic()
    summary = run(range(5), call_api, client=client, workers=1)
    assert time.monotonic() - began < 3
    assert summary.interrupted
    assert summary.untried == 5


@pytest.mark.usefixtures("ctrl_c")
def test_a_second_ctrl_c_raises_keyboard_interrupt_at_once() -> None:
    answered = Event()

    class Impatient(RecordedProgress):
        def write(self, text: str) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    def call_api(row: int, _: RateLimitedClient) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        answered.wait(10)
        return "done"

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(range(5), call_api, progress=Impatient(), workers=1)
    assert time.monotonic() - began < 3
    answered.set()


def test_an_ignored_ctrl_c_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)

    def call_api(row: int, _: RateLimitedClient) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return "done"

    summary = run(range(20), call_api)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.signal(signal.SIGINT, before)
    assert summary.outcomes == {"done": 20}


def test_a_runner_works_in_another_thread() -> None:
    """Only the main thread has signals."""
    summaries: list[Summary] = []
    thread = Thread(target=lambda: summaries.append(run(range(20), lambda row, _: "done")))
    thread.start()
    thread.join(10)
    assert [each.outcomes for each in summaries] == [{"done": 20}]


@pytest.fixture
def server(settings: Settings) -> Iterator[AlgunaServer]:
    """Alguna on a socket, configured in the settings."""
    with alguna_server() as server:
        settings.DEBUG = True
        settings.ALGUNA_PORTAL_API_URL = server.url
        yield server


def create(row: int, client: RateLimitedClient) -> str:
    """Look a customer up and create it: two requests."""
    assert client.find_customer(f"alias-{row}") is None
    client.create_customer(alias=f"alias-{row}", name="Acme", currency="EUR")
    return "created"


def test_all_requests_share_the_rate_limit(server: AlgunaServer) -> None:
    """A tenth of a second is left for threads that send late."""
    server.seconds = 0.05
    began = time.monotonic()
    summary = run(range(35), create, rate=50, workers=8)
    took = time.monotonic() - began
    assert summary.outcomes == {"created": 35}
    times = sorted(server.times)
    assert len(times) == 70
    assert max(sum(start <= each < start + 0.9 for each in times) for start in times) <= 50
    assert 1.3 < took < 2.5


def test_all_threads_pause_after_a_429(server: AlgunaServer) -> None:
    server.seconds = 0.01
    server.busy_at = 12
    summary = run(range(30), create, rate=200, workers=8)
    assert summary.outcomes == {"created": 30}
    assert len(server.customers) == 30
    (refused,) = server.refused_at
    # Requests that were sent before the response arrived may come a little later.
    early = [each for each in server.times if refused + 0.15 < each < refused + 0.98]
    later = [each for each in server.times if each >= refused + 0.98]
    assert not early
    assert min(later) < refused + 1.5
    assert len(later) > 30


@pytest.mark.usefixtures("ctrl_c")
def test_if_reading_fails_rows_in_progress_are_stored() -> None:
    called = Semaphore(0)

    def rows() -> Iterator[int]:
        yield from range(3)
        assert all(called.acquire(timeout=10) for _ in range(3))
        raise OperationalError("gone")

    def call_api(row: int, _client: RateLimitedClient) -> int:
        called.release()
        return row

    stored: list[int] = []

    def store(row: int, _found: object) -> str:
        stored.append(row)
        return "stored"

    with pytest.raises(OperationalError):
        run(rows(), call_api, store=store, total=4)
    assert sorted(stored) == [0, 1, 2]
