"""Threads to leave work to: used again when they come back, left behind when they do not."""

from contextvars import ContextVar
from threading import Event, current_thread, main_thread
from time import sleep

import pytest

from alguna_portal import threads

COLOUR = ContextVar("COLOUR", default="none")


def test_what_comes_back_in_time_is_returned_or_raised() -> None:
    """From another thread, in the caller's context."""
    COLOUR.set("blue")
    assert threads.within(5, COLOUR.get) == "blue"
    assert threads.within(5, current_thread) is not main_thread()
    with pytest.raises(ValueError, match="lost"):
        threads.within(5, lambda: int("lost"))


def test_a_thread_that_came_back_is_used_again_and_a_lost_one_is_not() -> None:
    """Whoever hangs keeps a thread to itself; the next caller has another."""
    first = threads.within(5, current_thread)
    sleep(0.05)
    assert threads.within(5, current_thread) is first
    sleep(0.05)
    never = Event()
    with pytest.raises(TimeoutError):
        threads.within(0.01, never.wait)
    assert threads.within(5, current_thread) is not first
    never.set()


def test_no_more_threads_are_kept_than_are_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many ends."""
    monkeypatch.setattr(threads, "IDLE", 0)
    thread = threads.within(5, current_thread)
    thread.join(5)
    assert not thread.is_alive()
