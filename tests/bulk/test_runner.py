"""Long runs: bounded, paced on a real socket, and interrupted without a loss."""

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


class Told(Progress):
    """Progress that keeps what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.shown: list[int] = []

    def show(self, summary: Summary, *, pause: float = 0.0) -> None:
        self.shown.append(summary.done)

    def write(self, text: str) -> None:
        self.said.append(text)


def run(
    rows: Iterable[int],
    call_api: Callable[[int, RateLimitedClient], Any],
    *,
    rate: int = 5000,
    workers: int = 4,
    **options: Any,
) -> BulkRunner[int, Any]:
    """Describe a run over numbers."""
    defaults: dict[str, Any] = {
        "store": lambda _row, found: str(found),
        "key": lambda row: row,
        "client": RateLimitedClient.create(rate),
        "progress": Told(),
    }
    return BulkRunner(call_api=call_api, workers=workers, **(defaults | options))


@pytest.mark.usefixtures("ctrl_c")
def test_threads_ask_and_the_main_thread_does_the_rest() -> None:
    """Reading, checking, storing: whatever the database is needed for."""
    strangers: list[str] = []

    def here(what: str) -> None:
        if current_thread() is not main_thread():
            strangers.append(what)

    def rows() -> Iterator[int]:
        for each in range(1, 40):
            here("rows")
            yield each

    def call_api(row: int, _: RateLimitedClient) -> bool:
        return current_thread() is main_thread()

    def store(_: int, found: bool) -> str:
        here("store")
        return "main" if found else "worker"

    summary = Summary(total=39)
    run(rows(), call_api, store=store, prepare=lambda _: here("check")).run(rows(), summary)
    assert summary.outcomes == {"worker": 39}
    assert not strangers


def test_few_rows_are_under_way_at_a_time() -> None:
    """However many there are, so memory stays as it is; and all workers have something to do."""
    read, stored, most = 0, 0, 0
    together, at_once, lock = 0, 0, Lock()

    def rows() -> Iterator[int]:
        nonlocal read, most
        for each in range(300):
            read += 1
            most = max(most, read - stored)
            yield each

    def call_api(row: int, _: RateLimitedClient) -> str:
        nonlocal together, at_once
        with lock:
            together += 1
            at_once = max(at_once, together)
        time.sleep(0.001)
        with lock:
            together -= 1
        return "done"

    def store(_row: int, found: str) -> str:
        nonlocal stored
        stored += 1
        return found

    run([], call_api, store=store).run(rows(), Summary(total=300))
    assert stored == 300
    assert most <= ROWS_PER_WORKER * 4
    assert at_once == 4


def test_rows_that_do_not_pass_are_shown_as_they_go() -> None:
    """Though nobody is asked for them; a failure of theirs names each field."""

    def refuse(_: int) -> None:
        raise ValidationError({"name": ["missing", "really"], "currency": ["wrong"]})

    told, summary = Told(), Summary(total=3)
    run([], lambda row, _: row, prepare=refuse, progress=told).run(range(1, 4), summary)
    assert set(summary.failures.counts) == {"name: missing", "name: really", "currency: wrong"}
    assert summary.failed == 3
    assert {1, 2, 3} <= set(told.shown)


def test_every_failure_of_alguna_is_one_row_s() -> None:
    """The others go on."""

    def call_api(row: int, _: RateLimitedClient) -> str:
        if row == 2:
            raise AlgunaError("No.")
        return "done"

    summary = Summary(total=4)
    run([], call_api).run(range(1, 5), summary)
    assert summary.outcomes == {"done": 3}
    assert list(summary.failures.format()) == ["     1  AlgunaError: No. (pk 2)"]


def test_what_would_end_a_thread_ends_the_run() -> None:
    """The main thread does not wait for an answer that never comes."""

    def call_api(row: int, _: RateLimitedClient) -> str:
        raise SystemExit(row)

    with pytest.raises(SystemExit):
        run([], call_api).run(range(5), Summary(total=5))


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Python's own Ctrl-C, whatever the test runner made of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_begins_nothing_new_and_stores_what_is_under_way() -> None:
    """It is said what happens, and the rest is counted as not tried."""
    asked: list[int] = []

    def call_api(row: int, _: RateLimitedClient) -> str:
        asked.append(row)
        if row == 10:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.02)
        return "done"

    told, summary = Told(), Summary(total=1000)
    run([], call_api, progress=told).run(range(1000), summary)
    assert summary.interrupted
    assert told.said == ["Interrupted: what is under way is finished first. Ctrl-C again leaves at once."]
    assert 10 < summary.outcomes["done"] == len(asked) < 10 + 2 * 4 + 4
    assert summary.untried == 1000 - len(asked)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_the_checking_of_rows_too() -> None:
    """Where many do not pass, one after the other, and nobody is asked."""

    def refuse(row: int) -> None:
        if row == 10:
            os.kill(os.getpid(), signal.SIGINT)
        raise ValidationError({"name": ["missing"]})

    summary = Summary(total=1000)
    run([], lambda row, _: row, prepare=refuse).run(range(1000), summary)
    assert summary.interrupted
    assert summary.failed < 20


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_in_a_pause_does_not_wait_for_its_end() -> None:
    """Who waits for Alguna to be back has sent nothing, and so gives up."""
    client = RateLimitedClient.create(1000)
    client.backoff.limiter.pause(60, new=True)

    def call_api(row: int, client: RateLimitedClient) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        client.backoff.limiter.turn()
        return "done"

    began, summary = time.monotonic(), Summary(total=5)
    run([], call_api, client=client, workers=1).run(range(5), summary)
    assert time.monotonic() - began < 3
    assert summary.interrupted
    assert summary.untried == 5


@pytest.mark.usefixtures("ctrl_c")
def test_a_second_ctrl_c_leaves_at_once() -> None:
    """Though a request is under way that takes long."""
    answered = Event()

    class Impatient(Told):
        def write(self, text: str) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    def call_api(row: int, _: RateLimitedClient) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        answered.wait(10)
        return "done"

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run([], call_api, progress=Impatient(), workers=1).run(range(5), Summary(total=5))
    assert time.monotonic() - began < 3
    answered.set()


def test_ctrl_c_stays_ignored_where_it_is() -> None:
    """As in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    summary = Summary(total=20)

    def call_api(row: int, _: RateLimitedClient) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return "done"

    run([], call_api).run(range(20), summary)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.signal(signal.SIGINT, before)
    assert summary.outcomes == {"done": 20}


def test_a_run_needs_no_main_thread() -> None:
    """Only there are signals to be had."""
    summary = Summary(total=20)
    thread = Thread(target=lambda: run([], lambda row, _: "done").run(range(20), summary))
    thread.start()
    thread.join(10)
    assert summary.outcomes == {"done": 20}


@pytest.fixture
def server(settings: Settings) -> Iterator[AlgunaServer]:
    """An Alguna on a socket, that the settings name."""
    with alguna_server() as server:
        settings.DEBUG = True
        settings.ALGUNA_PORTAL_API_URL = server.url
        yield server


def create(row: int, client: RateLimitedClient) -> str:
    """Look a customer up and create it: two requests."""
    assert client.find_customer(f"alias-{row}") is None
    client.create_customer(alias=f"alias-{row}", name="Acme", currency="EUR")
    return "created"


def test_requests_keep_the_rate_together(server: AlgunaServer) -> None:
    """Lookups and creations count alike; a tenth of a second is left to threads that are slow to send."""
    server.seconds = 0.05
    summary = Summary(total=35)
    began = time.monotonic()
    run([], create, rate=50, workers=8).run(range(35), summary)
    took = time.monotonic() - began
    assert summary.outcomes == {"created": 35}
    times = sorted(server.times)
    assert len(times) == 70
    assert max(sum(start <= each < start + 0.9 for each in times) for start in times) <= 50
    assert 1.3 < took < 2.5


def test_all_leave_alguna_alone_together(server: AlgunaServer) -> None:
    """One 429 with `Retry-After: 1`, and nobody asks for a second; then they go on, and nobody is left out."""
    server.seconds = 0.01
    server.busy_at = 12
    summary = Summary(total=30)
    run([], create, rate=200, workers=8).run(range(30), summary)
    assert summary.outcomes == {"created": 30}
    assert len(server.customers) == 30
    (refused,) = server.refused_at
    # What was sent before the refusal was read may come a little later.
    early = [each for each in server.times if refused + 0.15 < each < refused + 0.98]
    later = [each for each in server.times if each >= refused + 0.98]
    assert not early
    assert min(later) < refused + 1.5
    assert len(later) > 30


@pytest.mark.usefixtures("ctrl_c")
def test_rows_that_are_done_are_stored_where_no_more_can_be_read() -> None:
    """The database that goes away for the reader is there again, perhaps, for the writer."""

    asked = Semaphore(0)

    def rows() -> Iterator[int]:
        yield from range(3)
        assert all(asked.acquire(timeout=10) for _ in range(3))
        raise OperationalError("gone")

    def call_api(row: int, _client: RateLimitedClient) -> int:
        asked.release()
        return row

    stored: list[int] = []

    def store(row: int, _found: object) -> str:
        stored.append(row)
        return "stored"

    with pytest.raises(OperationalError):
        run(rows(), call_api, store=store).run(rows(), Summary(total=4))
    assert sorted(stored) == [0, 1, 2]
