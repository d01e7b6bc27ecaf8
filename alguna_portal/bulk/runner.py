"""Runner for bulk jobs: worker threads call the API, and the main thread alone uses the database.

So a job works inside a transaction and on SQLite, and needs no database connection for each thread. All threads share
one rate limit and one back-off. Only a few rows are in progress at a time, so memory use doesn't depend on the number
of rows. However a job ends, the rows whose API calls succeeded are stored.
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

from .rate_limiter import POLL_SECONDS, Backoff, RateLimiter, RateLimiterClosed
from .summary import Progress, Summary

logger = logging.getLogger(__name__)

MAX_TRIES = 5  # for each row, while Alguna is unavailable
STILL_RUNNING = 409  # Another process has sent the same request, so only this row has to wait.
ROWS_PER_WORKER = 3  # in progress or queued

Row = TypeVar("Row")
Result = TypeVar("Result")
Stored = TypeVar("Stored", bound=Model)


class RateLimitedClient(AlgunaClient):
    """A client shared by threads. It waits for the rate limiter before a request's time starts, and doesn't retry.

    It has no circuit breaker: a job has its own back-off, and must not open the one that protects the site's views.
    """

    backoff: Backoff

    @classmethod
    def create(cls, rate: int) -> Self:
        """Create a client from the settings, for so many requests a second."""
        client = cls.from_settings()
        client.retries = 0
        client.backoff = Backoff(RateLimiter(rate))
        return client

    def _call(
        self, method: str, path: str, body: JSON | None, *, within: float | None, key: str | None = None
    ) -> ApiResponse:
        pauses = self.backoff.limiter.turn()
        try:
            return super()._call(method, path, body, within=within, key=key)
        except AlgunaUnavailable as exc:
            if exc.status != STILL_RUNNING and (seconds := self.backoff.pause(pauses, exc.retry_after, str(exc))):
                message = "Everybody waits %(seconds).1f s. %(detail)s"
                log_event(logger.warning, "run_paused", message, exc=exc, detail=exc, seconds=seconds)
            raise


@dataclass(frozen=True, kw_only=True)
class BulkRunner(Generic[Row, Result]):
    """Processes rows: `prepare` and `store` run in the main thread, `call_api` in worker threads.

    If `prepare` raises `ValidationError`, the row fails without an API call. `store` returns the outcome that the
    summary counts. An `AlgunaError` or a database lock is a failure of its row, except `AuthenticationFailed`, which
    stops the job. Any other exception stops the job, too, and is raised after the rows in progress are stored. `key`
    returns the row's name in the summary.
    """

    call_api: Callable[[Row, RateLimitedClient], Result]
    store: Callable[[Row, Result], str]
    key: Callable[[Row], object]
    client: RateLimitedClient
    workers: int
    progress: Progress
    prepare: Callable[[Row], object] = lambda _row: None

    def run(self, rows: Iterable[Row], summary: Summary) -> None:
        """Process the rows, and count them in the summary.

        After the first Ctrl-C, no more rows are started; the second one raises `KeyboardInterrupt` at once.
        """
        limiter = self.client.backoff.limiter
        source, in_progress = iter(rows), 0
        errors: list[Exception] = []
        with handle_ctrl_c() as interrupted, worker_threads(self.workers, self._call_api) as (todo, done):
            while True:
                while in_progress < ROWS_PER_WORKER * self.workers and not limiter.closed and not interrupted.is_set():
                    try:
                        if (row := next(source, None)) is None:
                            break
                        if self._prepare(row, summary):
                            todo.put(row)
                            in_progress += 1
                    except Exception as exc:  # noqa: BLE001  (raised after the rows in progress are stored)
                        limiter.close()
                        errors.append(exc)
                self.progress.show(summary, pause=limiter.pause_left)
                if interrupted.is_set() and not summary.interrupted:
                    summary.interrupted = True
                    limiter.close()
                    self.progress.write(
                        "Interrupted: what is under way is finished first. Ctrl-C again leaves at once."
                    )
                if not in_progress:
                    break
                try:
                    row, result = done.get(timeout=POLL_SECONDS)
                except Empty:
                    continue
                in_progress -= 1
                if error := self._store(row, result, summary):
                    errors.append(error)
        summary.stopped = summary.stopped or self.client.backoff.exhausted
        if errors:
            raise errors[0]

    def _prepare(self, row: Row, summary: Summary) -> bool:
        """Return whether the API is to be called for a row."""
        try:
            self.prepare(row)
        except (ValidationError, OperationalError) as exc:
            summary.fail(self.key(row), *format_reasons(exc))
            self.progress.show(summary)
            return False
        return True

    def _call_api(self, row: Row) -> Result:
        """Call the API for one row, with retries while Alguna is unavailable. Runs in a worker thread."""
        backoff = self.client.backoff
        tries = 0
        while not backoff.limiter.closed:
            tries += 1
            try:
                result = self.call_api(row, self.client)
            except AlgunaUnavailable as exc:
                if tries == MAX_TRIES:
                    raise
                if exc.status == STILL_RUNNING:
                    backoff.limiter.rest(exc.retry_after or 0.0)
            except UnexpectedResponse as exc:
                if not isinstance(exc, CustomerMismatch):
                    backoff.count_unexpected(str(exc))
                raise
            except AlgunaError:
                backoff.reset()
                raise
            else:
                backoff.reset()
                return result
        raise RateLimiterClosed

    def _store(self, row: Row, result: "Future[Result]", summary: Summary) -> Exception | None:
        """Store and count a row's result; return an unexpected exception."""
        try:
            summary.outcomes[self.store(row, result.result())] += 1
        except RateLimiterClosed:
            pass
        except AuthenticationFailed as exc:
            summary.stopped = str(exc)
            self.client.backoff.limiter.close()
        except (AlgunaError, OperationalError) as exc:
            summary.fail(self.key(row), *format_reasons(exc))
        except Exception as exc:  # noqa: BLE001  (raised after the rows in progress are stored)
            self.client.backoff.limiter.close()
            return exc
        return None


def keyset(rows: QuerySet[Stored], *fields: str, size: int) -> Iterator[Stored]:
    """Yield rows in the order of `fields`, which must be unique together, in batches of `size` (keyset pagination).

    Each row is read once, even if rows leave the queryset meanwhile.
    """
    rows = rows.order_by(*fields)
    batch = list(rows[:size])
    while batch:
        # Computed before the rows are yielded, because the caller may change them.
        condition = Q()
        for field in reversed(fields):
            value = getattr(batch[-1], field)
            # The redundant `gte` lets the database use an index.
            condition = (Q((f"{field}__gt", value)) | condition) & Q((f"{field}__gte", value))
        yield from batch
        batch = list(rows.filter(condition)[:size])


@contextmanager
def worker_threads(
    count: int, work: Callable[[Row], Result]
) -> "Iterator[tuple[SimpleQueue[Row | None], SimpleQueue[tuple[Row, Future[Result]]]]]":
    """Start threads that take rows from the first queue and put each row with its result into the second.

    They're daemon threads. Python joins an executor's threads when it exits, so the second Ctrl-C would have to wait.
    """
    todo: SimpleQueue[Row | None] = SimpleQueue()
    done: SimpleQueue[tuple[Row, Future[Result]]] = SimpleQueue()

    def run() -> None:
        while (row := todo.get()) is not None:
            future: Future[Result] = Future()
            try:
                future.set_result(work(row))
            except BaseException as exc:  # noqa: BLE001  (the main thread waits for a result, whatever it is)
                future.set_exception(exc)
            done.put((row, future))
            # Free the memory while the thread waits for the next row.
            del row, future

    for _ in range(count):
        threading.Thread(target=run, name="alguna_portal bulk", daemon=True).start()
    try:
        yield todo, done
    finally:
        for _ in range(count):
            todo.put(None)


@contextmanager
def handle_ctrl_c() -> Iterator[threading.Event]:
    """Return an event that the first Ctrl-C sets; the second one raises `KeyboardInterrupt`.

    Other threads than the main thread get no signals, and an ignored Ctrl-C (background jobs) stays ignored.
    """
    interrupted = threading.Event()
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or previous is signal.SIG_IGN:
        yield interrupted
        return

    def interrupt(*_: object) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, previous)


def format_reasons(exc: Exception) -> list[str]:
    """Return the reasons why a row failed; for a validation error, one for each message, with the field's name."""
    if isinstance(exc, OperationalError):
        return [f"The database would not store it ({type(exc).__name__})."]
    if not isinstance(exc, ValidationError):
        return [f"{type(exc).__name__}: {exc}"]
    if not hasattr(exc, "error_dict"):
        return exc.messages
    return [f"{field}: {message}" for field, messages in exc.message_dict.items() for message in messages]
