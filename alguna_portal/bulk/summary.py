"""What became of the rows of a long run: counts, and failures by their reason. As small for many rows as for few."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

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
class Tally:
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
