"""How far a long command is: a bar on a terminal, a line now and then in a log, or nothing."""

import time
from collections.abc import Callable
from math import ceil
from typing import Any, Protocol

from django.core.management.base import OutputWrapper
from tqdm import tqdm

from .summary import Tally

EVERY = 10.0  # seconds


class Progress(Protocol):
    """Somebody who is told often, and says something when it is time."""

    def show(self, tally: Tally, *, pause: float = 0.0) -> None:
        """Learn how far it is; `pause` is how long Alguna is still left alone, in seconds."""

    def say(self, text: str) -> None:
        """Say something that must not be missed."""

    def close(self) -> None:
        """Say how far it came."""


def progress(stream: OutputWrapper, total: int, *, unit: str, verbosity: int) -> Progress:
    """Choose what suits a stream."""
    if verbosity == 0:
        return Silence()
    if stream.isatty():
        return Bar(stream, total, unit=unit)
    return Lines(stream, unit=unit)


class Silence:
    """No progress."""

    def show(self, tally: Tally, *, pause: float = 0.0) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Do nothing."""


class Bar:
    """A progress bar."""

    def __init__(self, stream: OutputWrapper, total: int, *, unit: str) -> None:
        self._terminal = _Terminal(stream)
        self._bar = tqdm(total=total, unit=f" {unit}", file=self._terminal, dynamic_ncols=True, miniters=1)

    def show(self, tally: Tally, *, pause: float = 0.0) -> None:
        """Move the bar."""
        notes = [f"{tally.failed} failed"] * (tally.failed > 0) + [f"waiting {ceil(pause)} s"] * (pause > 0)
        self._bar.set_postfix_str(", ".join(notes), refresh=False)
        moved = self._bar.update(tally.done - self._bar.n)
        if pause and not moved:
            self._bar.refresh()

    def say(self, text: str) -> None:
        """Say something above the bar."""
        self._bar.write(text, file=self._terminal)

    def close(self) -> None:
        """Leave the bar where it is."""
        self._bar.refresh()
        self._bar.close()


class Lines:
    """A line every ten seconds, and one at the end."""

    def __init__(self, stream: OutputWrapper, *, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._unit = unit
        self._clock = clock
        self._started = self._due = clock()
        self._last = ""

    def show(self, tally: Tally, *, pause: float = 0.0) -> None:
        """Write a line if it is time for one."""
        seconds = self._clock() - self._started
        speed = f", {tally.done / seconds:.1f} a second" if seconds > 0 else ""
        waiting = f", waiting {ceil(pause)} s for Alguna" if pause > 0 else ""
        self._last = f"{tally.done} of {tally.total} {self._unit}, {tally.failed} failed{speed}{waiting}"
        if self._clock() >= self._due + EVERY:
            self._due = self._clock()
            self.say(self._last)

    def say(self, text: str) -> None:
        """Write a line."""
        self._stream.write(text, style_func=str)
        self._stream.flush()

    def close(self) -> None:
        """Write the last line."""
        if self._last:
            self.say(self._last)


class _Terminal:
    """A command's stream as tqdm needs it: what is written stays without colour, and without a line's end."""

    def __init__(self, stream: OutputWrapper) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        self._stream.write(text, style_func=str, ending="")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
