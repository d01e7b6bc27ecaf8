"""Summary and progress of a bulk run.

The summary counts outcomes and groups failures by message, so its size doesn't depend on the number of rows. The
progress is a bar on a terminal, or lines in a log.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from django.core.management.base import OutputWrapper
from tqdm import tqdm

MAX_EXAMPLES = 5  # keys for each message
MAX_MESSAGES = 30  # Alguna's error messages may be different for each row.
LOG_INTERVAL = 10.0  # seconds


@dataclass(kw_only=True)
class MessageGroups:
    """Messages about rows: how many rows have the same message, and a few of their keys."""

    rest: str  # the message that stands for all messages after the first `MAX_MESSAGES`
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[object]] = field(default_factory=lambda: defaultdict(list))

    def add(self, key: object, message: str) -> None:
        """Add a message about the row with this key."""
        if message not in self.counts and len(self.counts) >= MAX_MESSAGES:
            message = self.rest
        self.counts[message] += 1
        if len(self.examples[message]) < MAX_EXAMPLES:
            self.examples[message].append(key)

    def format(self) -> Iterator[str]:
        """Yield a line for each message, the most common first."""
        for message, count in self.counts.most_common():
            keys = ", ".join(map(str, self.examples[message]))
            more = ", …" if count > len(self.examples[message]) else ""
            yield f"{count:>6}  {message} (pk {keys}{more})"


@dataclass(kw_only=True)
class Summary:
    """The results of a run so far. `total` is the number of rows at the start."""

    total: int
    outcomes: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    failures: MessageGroups = field(default_factory=lambda: MessageGroups(rest="other reasons"))
    # About rows that haven't failed.
    remarks: MessageGroups = field(default_factory=lambda: MessageGroups(rest="others"))
    stopped: str = ""  # the reason why the run ended early
    interrupted: bool = False

    def fail(self, key: object, *reasons: str) -> None:
        """Count a failed row, with its reasons."""
        self.failed += 1
        for reason in reasons:
            self.failures.add(key, reason)

    @property
    def done(self) -> int:
        """The number of rows that succeeded or failed."""
        return self.outcomes.total() + self.failed

    @property
    def untried(self) -> int:
        """The number of rows that were not tried, or given up."""
        return max(self.total - self.done, 0)


class Progress:
    """No progress output; the base class of the others."""

    def show(self, summary: Summary, *, pause: float = 0.0) -> None:
        """Update the output; `pause` is the number of seconds until the next request may be sent."""

    def write(self, text: str) -> None:
        """Write a message for the user."""

    def close(self) -> None:
        """Write the final state."""


def create_progress(stream: OutputWrapper, total: int, *, unit: str, verbosity: int) -> Progress:
    """Return a bar for a terminal, lines for other streams, and no output if the verbosity is 0."""
    if verbosity == 0:
        return Progress()
    return ProgressBar(stream, total, unit=unit) if stream.isatty() else ProgressLog(stream, unit=unit)


class ProgressBar(Progress):
    """A progress bar on a terminal."""

    def __init__(self, stream: OutputWrapper, total: int, *, unit: str) -> None:
        self._terminal = _Terminal(stream)
        self._bar = tqdm(total=total, unit=f" {unit}", file=self._terminal, dynamic_ncols=True, miniters=1)

    def show(self, summary: Summary, *, pause: float = 0.0) -> None:
        notes = [f"{summary.failed} failed"] * (summary.failed > 0) + [f"waiting {ceil(pause)} s"] * (pause > 0)
        self._bar.set_postfix_str(", ".join(notes), refresh=False)
        moved = self._bar.update(summary.done - self._bar.n)
        if pause and not moved:
            self._bar.refresh()

    def write(self, text: str) -> None:
        self._bar.write(text, file=self._terminal)

    def close(self) -> None:
        self._bar.refresh()
        self._bar.close()


class ProgressLog(Progress):
    """A line every ten seconds, and one at the end."""

    def __init__(self, stream: OutputWrapper, *, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._unit = unit
        self._clock = clock
        self._started = self._last_line_at = clock()
        self._last = ""

    def show(self, summary: Summary, *, pause: float = 0.0) -> None:
        seconds = self._clock() - self._started
        speed = f", {summary.done / seconds:.1f} a second" if seconds > 0 else ""
        waiting = f", waiting {ceil(pause)} s for Alguna" if pause > 0 else ""
        self._last = f"{summary.done} of {summary.total} {self._unit}, {summary.failed} failed{speed}{waiting}"
        if self._clock() >= self._last_line_at + LOG_INTERVAL:
            self._last_line_at = self._clock()
            self.write(self._last)

    def write(self, text: str) -> None:
        self._stream.write(text, style_func=str)
        self._stream.flush()

    def close(self) -> None:
        if self._last:
            self.write(self._last)


class _Terminal:
    """Adapter of a command's stream for tqdm, which writes without colour and line ends."""

    def __init__(self, stream: OutputWrapper) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        self._stream.write(text, style_func=str, ending="")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
