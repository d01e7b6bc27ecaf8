"""Worker threads: reused after a task, and abandoned if a task takes too long."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from threading import Event, current_thread, main_thread
from time import monotonic, sleep
from typing import Any

import pytest

from alguna_portal.api import transport

COLOUR = ContextVar("COLOUR", default="none")


@pytest.fixture
def wait_for_idle_thread(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Start without idle threads; return a function that waits until a thread is idle."""
    monkeypatch.setattr(transport, "_idle", idle := dict[int, list[Any]]())

    def wait() -> None:
        until = monotonic() + 5
        while not idle[os.getpid()]:
            assert monotonic() < until, "No thread became idle."
            sleep(0.005)

    return wait


def test_result_is_returned_or_raised_from_another_thread() -> None:
    COLOUR.set("blue")
    assert transport.run_within(5, COLOUR.get) == "blue"
    assert transport.run_within(5, current_thread) is not main_thread()
    with pytest.raises(ValueError, match="lost"):
        transport.run_within(5, lambda: int("lost"))


def test_idle_thread_is_reused_and_busy_thread_is_not(wait_for_idle_thread: Callable[[], None]) -> None:
    """If a function hangs, the next call gets another thread."""
    first = transport.run_within(5, current_thread)
    wait_for_idle_thread()
    assert transport.run_within(5, current_thread) is first
    wait_for_idle_thread()
    never = Event()
    with pytest.raises(TimeoutError):
        transport.run_within(0.01, never.wait)
    assert transport.run_within(5, current_thread) is not first
    never.set()


def test_surplus_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_IDLE", 0)
    thread = transport.run_within(5, current_thread)
    thread.join(5)
    assert not thread.is_alive()


def test_requests_is_not_imported_at_start_up() -> None:
    """Not even with the admin: it takes longer to import than the rest of the app."""
    code = (
        "import sys, django, tests.settings\n"
        "tests.settings.INSTALLED_APPS.remove('alguna_portal.sandbox')\n"
        "django.setup()\n"
        "sys.exit('requests' in sys.modules)"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=Path(__file__).parents[2])
