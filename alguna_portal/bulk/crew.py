"""Threads that work for the main one, and Ctrl-C while they do. Pure."""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TypeVar

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
