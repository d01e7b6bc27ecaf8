"""What an examination says: one finding for each thing it looked at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is, the worst last."""

    OK = "ok"
    NOTE = "note"  # worth knowing; nothing has to be done
    SKIPPED = "skipped"  # could not be looked at
    WARNING = "warning"  # works, but not for everybody or not for long
    ERROR = "error"  # does not work


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found, by a name that stays as it is, and what to do about it, if anything."""

    name: str
    level: Level
    found: str
    remedy: str = ""


Findings = Iterator[Finding]


def _of(level: Level) -> Callable[..., Finding]:
    def finding(name: str, found: str, remedy: str = "") -> Finding:
        return Finding(name=name, level=level, found=found, remedy=remedy)

    return finding


ok, note, skipped = _of(Level.OK), _of(Level.NOTE), _of(Level.SKIPPED)
warning, error = _of(Level.WARNING), _of(Level.ERROR)


def counted(number: int, singular: str, plural: str = "") -> str:
    """Say how many: “1 customer”, “1,250 customers”."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def named(names: list[str], most: int = 5) -> str:
    """List some names, and say how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
