"""Threads to leave work to, and to leave behind: daemons, used again as long as they come back."""

import os
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from contextvars import Context, copy_context
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from asgiref.sync import sync_to_async

T = TypeVar("T")

IDLE = 32  # kept waiting per process: as many as a threaded worker commonly has threads

Task = Callable[[], None]


def within(seconds: float, function: Callable[[], T]) -> T:
    """Return what a function returns, or raise what it raises; raise `TimeoutError` once time is up.

    It then runs on, unheard, in its thread. An executor would not do: its threads are joined when Python ends.
    """
    future: Future[T] = Future()
    _idle_worker().put(partial(_run, future, copy_context(), function))
    try:
        return future.result(seconds)
    finally:
        # The future holds an exception whose frames hold the future: what they know of a request would linger.
        del future


def aside(function: Callable[[], T]) -> Callable[[], Awaitable[T]]:
    """Make a function that takes long one to await, which keeps neither the event loop waiting nor its executor.

    Awaited in vain, since it is cancelled, it runs on.
    """
    # By asgiref, and not by hand: what Django keeps for each context, languages and caches, is tied to its ways.
    executor: Any = _Aside()  # asgiref says that it wants a pool, and asks no more of it than asyncio does
    return sync_to_async(function, thread_sensitive=False, executor=executor)


class _Aside(Executor):
    """Our threads, as asyncio wants them. What is not shut down, nobody waits for."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Run a function in one of them."""
        future: Future[Any] = Future()
        _idle_worker().put(partial(_run, future, copy_context(), partial(function, *args, **kwargs)))
        return future


def _run(future: "Future[T]", context: Context, function: Callable[[], T]) -> None:
    # From here on whoever waits for it can no longer cancel it, but only go.
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(context.run(function))
    except BaseException as exc:  # noqa: BLE001  (whatever it is, it is the caller's)
        future.set_exception(exc)


# The queues of workers that wait for a task, by process: a forked child has none of its parent's threads.
_idle: dict[int, list["SimpleQueue[Task]"]] = {}


def _idle_worker() -> "SimpleQueue[Task]":
    idle = _idle.setdefault(os.getpid(), [])
    try:
        return idle.pop()
    except IndexError:
        tasks: SimpleQueue[Task] = SimpleQueue()
        Thread(target=_work, args=(tasks, idle), name="alguna_portal", daemon=True).start()
        return tasks


def _work(tasks: "SimpleQueue[Task]", idle: list[Any]) -> None:
    while True:
        tasks.get()()
        if len(idle) >= IDLE:
            return
        idle.append(tasks)
