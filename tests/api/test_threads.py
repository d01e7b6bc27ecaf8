"""Threads to leave work to: used again when they come back, left behind when they do not."""

import os
from collections.abc import Callable
from contextvars import ContextVar
from threading import Event, current_thread, main_thread
from time import monotonic, sleep
from typing import Any

import pytest

from alguna_portal.api import transport

COLOUR = ContextVar("COLOUR", default="none")


@pytest.fixture
def come_back(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have no threads but those of this test; wait until one of them came back."""
    monkeypatch.setattr(transport, "_idle", pool := dict[int, list[Any]]())

    def wait() -> None:
        until = monotonic() + 5
        while not pool[os.getpid()]:
            assert monotonic() < until, "The thread does not come back."
            sleep(0.005)

    return wait


def test_what_comes_back_in_time_is_returned_or_raised() -> None:
    """From another thread, in the caller's context."""
    COLOUR.set("blue")
    assert transport.run_within(5, COLOUR.get) == "blue"
    assert transport.run_within(5, current_thread) is not main_thread()
    with pytest.raises(ValueError, match="lost"):
        transport.run_within(5, lambda: int("lost"))


def test_a_thread_that_came_back_is_used_again_and_a_lost_one_is_not(come_back: Callable[[], None]) -> None:
    """Whoever hangs keeps a thread to itself; the next caller has another."""
    first = transport.run_within(5, current_thread)
    come_back()
    assert transport.run_within(5, current_thread) is first
    come_back()
    never = Event()
    with pytest.raises(TimeoutError):
        transport.run_within(0.01, never.wait)
    assert transport.run_within(5, current_thread) is not first
    never.set()


def test_no_more_threads_are_kept_than_are_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many ends."""
    monkeypatch.setattr(transport, "MAX_IDLE", 0)
    thread = transport.run_within(5, current_thread)
    thread.join(5)
    assert not thread.is_alive()
