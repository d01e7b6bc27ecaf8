"""What became of the rows of a long run: counts, and failures by their reason. As small for many rows as for few."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Protocol

from django.core.management.base import OutputWrapper
from tqdm import tqdm

EXAMPLES = 5  # keys for each reason
REASONS = 30  # texts of Alguna's may differ from row to row
OTHERS = "other reasons"
OTHER_REMARKS = "others"


@dataclass
class Reason:
    """How many rows have one text in common, as why they failed, and a few of their keys."""

    rows: int = 0
    examples: list[object] = field(default_factory=list)


@dataclass(kw_only=True)
class Summary:
    """The rows of one run so far; `total` is how many there were to begin with."""

    total: int
    outcomes: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    reasons: dict[str, Reason] = field(default_factory=dict)
    # What else there is to say of rows, which did not fail.
    remarks: dict[str, Reason] = field(default_factory=dict)
    # Why the run ended before its rows did.
    stopped: str = ""
    interrupted: bool = False

    def count(self, outcome: str) -> None:
        """Count a row that came out well."""
        self.outcomes[outcome] += 1

    def fail(self, key: object, reasons: Iterable[str]) -> None:
        """Count a row that failed, under each of its reasons."""
        self.failed += 1
        for text in reasons:
            _file(self.reasons, text, key, rest=OTHERS)

    def remark(self, key: object, text: str) -> None:
        """Keep something in mind that is to be said of a row, and of others like it."""
        _file(self.remarks, text, key, rest=OTHER_REMARKS)

    @property
    def done(self) -> int:
        """How many rows are over and done with, well or not."""
        return self.outcomes.total() + self.failed

    @property
    def untried(self) -> int:
        """How many rows the run did not come to, or gave up."""
        return max(self.total - self.done, 0)

    def failures(self) -> Iterator[str]:
        """Write a line for each reason, the most common first."""
        return _lines(self.reasons)

    def remarked(self) -> Iterator[str]:
        """Write a line for each remark, the most common first."""
        return _lines(self.remarks)


def _file(filed: dict[str, Reason], text: str, key: object, *, rest: str) -> None:
    known = text in filed or len(filed) < REASONS
    reason = filed.setdefault(text if known else rest, Reason())
    reason.rows += 1
    if len(reason.examples) < EXAMPLES:
        reason.examples.append(key)


def _lines(filed: dict[str, Reason]) -> Iterator[str]:
    for text, reason in sorted(filed.items(), key=lambda item: -item[1].rows):
        keys = ", ".join(map(str, reason.examples))
        more = ", …" if reason.rows > len(reason.examples) else ""
        yield f"{reason.rows:>6}  {text} (pk {keys}{more})"


# --- from alguna_portal.bulk.progress

EVERY = 10.0  # seconds


class Progress(Protocol):
    """Somebody who is told often, and says something when it is time."""

    def show(self, tally: Summary, *, pause: float = 0.0) -> None:
        """Learn how far it is; `pause` is how long Alguna is still left alone, in seconds."""

    def say(self, text: str) -> None:
        """Say something that must not be missed."""

    def close(self) -> None:
        """Say how far it came."""


def create_progress(stream: OutputWrapper, total: int, *, unit: str, verbosity: int) -> Progress:
    """Choose what suits a stream."""
    if verbosity == 0:
        return Silence()
    if stream.isatty():
        return Bar(stream, total, unit=unit)
    return Lines(stream, unit=unit)


class Silence:
    """No progress."""

    def show(self, tally: Summary, *, pause: float = 0.0) -> None:
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

    def show(self, tally: Summary, *, pause: float = 0.0) -> None:
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

    def show(self, tally: Summary, *, pause: float = 0.0) -> None:
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
