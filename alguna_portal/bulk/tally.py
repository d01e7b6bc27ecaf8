"""What became of the rows of a long run: counts, and failures by their reason. As small for many rows as for few."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

EXAMPLES = 5  # keys for each reason
REASONS = 30  # texts of Alguna's may differ from row to row
OTHERS = "other reasons"


@dataclass
class Reason:
    """How many rows failed for one reason, and a few of their keys."""

    rows: int = 0
    examples: list[object] = field(default_factory=list)


@dataclass(kw_only=True)
class Tally:
    """The rows of one run so far; `total` is how many there were to begin with."""

    total: int
    outcomes: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    reasons: dict[str, Reason] = field(default_factory=dict)
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
            known = text in self.reasons or len(self.reasons) < REASONS
            reason = self.reasons.setdefault(text if known else OTHERS, Reason())
            reason.rows += 1
            if len(reason.examples) < EXAMPLES:
                reason.examples.append(key)

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
        for text, reason in sorted(self.reasons.items(), key=lambda item: -item[1].rows):
            keys = ", ".join(map(str, reason.examples))
            more = ", …" if reason.rows > len(reason.examples) else ""
            yield f"{reason.rows:>6}  {text} (pk {keys}{more})"
