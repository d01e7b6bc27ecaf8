"""Long runs over many rows: Alguna is asked in threads, the database in the main thread alone.

So a run works inside a transaction and on SQLite, and needs no connection for each thread. Requests keep one pace
together, and when Alguna is not to be had, all leave it alone together. Only a few rows are under way at a time, so
memory does not grow with them. Whatever ends a run, the rows that are done are stored.
"""

import logging
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, Self, TypeVar

from django.core.exceptions import ValidationError
from django.db import OperationalError
from django.db.models import Model, Q, QuerySet

from alguna_portal.api.client import AlgunaClient
from alguna_portal.api.responses import JSON, ApiResponse
from alguna_portal.exceptions import (
    AlgunaError,
    AlgunaUnavailable,
    AuthenticationFailed,
    CustomerMismatch,
    UnexpectedResponse,
)
from alguna_portal.log_events import log_event

from .rate_limiter import NAP, Backoff, RateLimiter, RateLimiterClosed
from .summary import Progress, Summary

# --- from alguna_portal.bulk.crew

Row = TypeVar("Row")
Found = TypeVar("Found")


@contextmanager
def crew(
    workers: int,
    work: Callable[[Row], Found],
    todo: "SimpleQueue[Row | None]",
    done: "SimpleQueue[tuple[Row, Future[Found]]]",
) -> Iterator[None]:
    """Have so many threads take rows from one queue, and put what came of them into the other.

    Daemons, since an executor's threads are joined when Python ends, and the second Ctrl-C would have to wait.
    """

    def labour() -> None:
        while (row := todo.get()) is not None:
            future: Future[Found] = Future()
            try:
                future.set_result(work(row))
            except BaseException as exc:  # noqa: BLE001  (whatever it is, the main thread waits for it)
                future.set_exception(exc)
            done.put((row, future))
            # What comes of a row shall not stay until the next one comes.
            del row, future

    for _ in range(workers):
        threading.Thread(target=labour, name="alguna_portal bulk", daemon=True).start()
    try:
        yield
    finally:
        for _ in range(workers):
            todo.put(None)


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Give an event that the first Ctrl-C sets; the second is Python's own again, and raises `KeyboardInterrupt`.

    Not in other threads, which have no signals, nor where Ctrl-C is ignored, as in the background.
    """
    interrupted = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is signal.SIG_IGN:
        yield interrupted
        return

    def interrupt(*_: object) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


# --- from alguna_portal.bulk.reading

Stored = TypeVar("Stored", bound=Model)


def read_in_batches(found: QuerySet[Stored], *, after: Callable[[Stored], Q], size: int) -> Iterator[Stored]:
    """Read rows in their order as they are needed; `after` says what comes after a row, as it was read."""
    rows = list(found[:size])
    while rows:
        # Before they are handed out: whoever gets them may change them.
        rest = after(rows[-1])
        yield from rows
        rows = list(found.filter(rest)[:size])


logger = logging.getLogger(__name__)

TRIES = 5  # for each row, where Alguna was not to be had
STILL_RUNS = 409  # the same request, for another run: a reason for one row to wait, and not for all
AHEAD = 3  # rows for each worker, under way or waiting to be


class RateLimitedClient(AlgunaClient):
    """A client for many threads: each request waits for its turn before its time begins, and is sent once.

    It has no breaker. A run is patient in its own way, and must not trip the one that the site's clicks share.
    """

    patience: Backoff

    @classmethod
    def at(cls, rate: int) -> Self:
        """Make the client that the settings describe, for so many requests a second."""
        client = cls.from_settings()
        client.retries = 0
        client.patience = Backoff(RateLimiter(rate))
        return client

    def _call(
        self, method: str, path: str, body: JSON | None, *, within: float | None, key: str | None = None
    ) -> ApiResponse:
        turn = self.patience.pace.turn()
        try:
            return super()._call(method, path, body, within=within, key=key)
        except AlgunaUnavailable as exc:
            if exc.status != STILL_RUNS and (seconds := self.patience.failed(turn, exc.retry_after, str(exc))):
                message = "Everybody waits %(seconds).1f s. %(detail)s"
                log_event(logger.warning, "run_paused", message, exc=exc, detail=exc, seconds=seconds)
            raise


@dataclass(frozen=True, kw_only=True)
class BulkRun(Generic[Row, Found]):
    """One run: `check` and `store` are called in the main thread, `ask` in the workers.

    `check` raises `ValidationError` for a row that is not worth asking for. `store` returns what the row is counted
    as. An `AlgunaError` out of `ask` or `store` is a failure of its row, as is a lock in the database;
    `AuthenticationFailed` ends the run, as would happen to every row. Whatever else is raised ends it too, and is
    raised again once all is stored that was under way. `key` names a row in the summary.
    """

    ask: Callable[[Row, RateLimitedClient], Found]
    store: Callable[[Row, Found], str]
    key: Callable[[Row], object]
    client: RateLimitedClient
    workers: int
    progress: Progress
    check: Callable[[Row], object] = lambda _row: None

    def over(self, rows: Iterable[Row], tally: Summary) -> None:
        """Work through the rows, and count them; return when they are done, or the run has to end before.

        The first Ctrl-C begins no more rows, the second raises `KeyboardInterrupt` at once.
        """
        pace = self.client.patience.pace
        todo: SimpleQueue[Row | None] = SimpleQueue()
        done: SimpleQueue[tuple[Row, Future[Found]]] = SimpleQueue()
        source, under_way = iter(rows), 0
        crashes: list[Exception] = []
        with interruptible() as interrupted, crew(self.workers, self._work, todo, done):
            while True:
                while under_way < AHEAD * self.workers and not pace.closed and not interrupted.is_set():
                    try:
                        if (row := next(source, None)) is None:
                            break
                        if self._passes(row, tally):
                            todo.put(row)
                            under_way += 1
                    except Exception as exc:  # noqa: BLE001  (as where it is settled)
                        pace.close()
                        crashes.append(exc)
                self.progress.show(tally, pause=pace.pause_left)
                if interrupted.is_set() and not tally.interrupted:
                    tally.interrupted = True
                    pace.close()
                    self.progress.say("Interrupted: what is under way is finished first. Ctrl-C again leaves at once.")
                if not under_way:
                    break
                try:
                    row, found = done.get(timeout=NAP)
                except Empty:
                    continue
                under_way -= 1
                if unexpected := self._settle(row, found, tally):
                    crashes.append(unexpected)
        tally.stopped = tally.stopped or self.client.patience.exhausted
        if crashes:
            raise crashes[0]

    def _passes(self, row: Row, tally: Summary) -> bool:
        try:
            self.check(row)
        except ValidationError as exc:
            tally.fail(self.key(row), format_errors(exc))
        except OperationalError as exc:
            tally.fail(self.key(row), [locked(exc)])
        else:
            return True
        self.progress.show(tally)
        return False

    def _work(self, row: Row) -> Found:
        """Ask for one row, again where Alguna was not to be had; in a worker."""
        patience = self.client.patience
        tries = 0
        while not patience.pace.closed:
            tries += 1
            try:
                found = self.ask(row, self.client)
            except AlgunaUnavailable as exc:
                if tries == TRIES:
                    raise
                if exc.status == STILL_RUNS:
                    patience.pace.rest(exc.retry_after or 0.0)
            except UnexpectedResponse as exc:
                if not isinstance(exc, CustomerMismatch):
                    patience.puzzled(str(exc))
                raise
            except AlgunaError:
                patience.succeeded()
                raise
            else:
                patience.succeeded()
                return found
        raise RateLimiterClosed

    def _settle(self, row: Row, found: "Future[Found]", tally: Summary) -> Exception | None:
        """Store and count what came of a row; return what nobody expected."""
        try:
            tally.count(self.store(row, found.result()))
        except RateLimiterClosed:
            pass
        except AuthenticationFailed as exc:
            tally.stopped = str(exc)
            self.client.patience.pace.close()
        except AlgunaError as exc:
            tally.fail(self.key(row), [f"{type(exc).__name__}: {exc}"])
        except OperationalError as exc:
            tally.fail(self.key(row), [locked(exc)])
        except Exception as exc:  # noqa: BLE001  (whatever it is, the rows under way come first)
            self.client.patience.pace.close()
            return exc
        return None


def locked(exc: OperationalError) -> str:
    """Say that a row is locked, on a busy site: the next run will find it as it is."""
    return f"The database would not store it ({type(exc).__name__})."


def format_errors(exc: ValidationError) -> list[str]:
    """Name what is wrong with each field, or with the row as such."""
    if not hasattr(exc, "error_dict"):
        return exc.messages
    return [f"{field}: {message}" for field, messages in exc.message_dict.items() for message in messages]
