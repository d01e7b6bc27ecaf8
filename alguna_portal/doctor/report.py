"""What the findings come to: how many of each level, whether that is a failure, and the whole as JSON."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from alguna_portal import __version__

from .findings import Finding, Level
from .runner import Examination

FORMAT = 1  # of the JSON; a higher one for a change that could break who reads it


@dataclass(kw_only=True)
class Report:
    """All findings so far; `fail_level` is the least level that counts as a failure."""

    fail_level: Level
    findings: list[tuple[Examination, Finding]] = field(default_factory=list)

    def add(self, examination: Examination, findings: list[Finding]) -> None:
        """Take in the findings of an examination."""
        self.findings += [(examination, each) for each in findings]

    @property
    def counts(self) -> dict[Level, int]:
        """How many findings there are of each level, the zeros included."""
        counts = Counter(finding.level for _examination, finding in self.findings)
        return {level: counts[level] for level in Level}

    @property
    def failed(self) -> bool:
        """Whether there is a finding that is as bad."""
        levels = list(Level)
        return any(self.counts[level] for level in levels[levels.index(self.fail_level) :])

    def as_json(self) -> dict[str, Any]:
        """Write it down for a machine."""
        return {
            "format": FORMAT,
            "version": __version__,
            "failed": self.failed,
            "fail_level": self.fail_level.value,
            "counts": {level.value: count for level, count in self.counts.items()},
            "findings": [
                {
                    "examination": examination.name,
                    "name": finding.name,
                    "level": finding.level.value,
                    "found": finding.found,
                    "remedy": finding.remedy,
                }
                for examination, finding in self.findings
            ],
        }
