"""The findings as people read them: grouped, in 80 columns, with the remedy under each problem."""

from collections.abc import Callable, Mapping
from textwrap import fill

from .findings import Finding, Level, counted

WIDTH = 79
MARGIN = 2 + len(Level.WARNING) + 2
NOUNS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "note"}

Colour = Callable[[str], str]


def group(title: str, findings: list[Finding], colours: Mapping[Level, Colour]) -> str:
    """Write the findings of one examination, under a title."""
    return "\n".join([title, *(_finding(each, colours[each.level]) for each in findings), "", ""])


def summary(counts: Mapping[Level, int]) -> str:
    """Say in one line how it stands."""
    problems = [counted(counts[level], noun) for level, noun in NOUNS.items() if counts[level]]
    rest = f"{counts[Level.OK]:,} in order" + (f", {counts[Level.SKIPPED]:,} skipped" * bool(counts[Level.SKIPPED]))
    return f"{', '.join(problems) or 'Nothing is wrong'}; {rest}."


def _finding(finding: Finding, colour: Colour) -> str:
    shown = finding.found if finding.level is Level.OK else f"{finding.found} [{finding.name}]"
    lines = _wrapped(shown, first="")
    if finding.remedy:
        lines += "\n" + _wrapped(finding.remedy, first="→ ")
    # Coloured when it is wrapped: colours take no room.
    return f"  {colour(finding.level.value)}{lines[2 + len(finding.level) :]}"


def _wrapped(text: str, *, first: str) -> str:
    margin = " " * MARGIN
    # A URL or a name is not cut: it would not be one any more.
    return fill(
        text,
        WIDTH,
        initial_indent=margin + first,
        subsequent_indent=margin + " " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )
