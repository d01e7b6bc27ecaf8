"""Figures as they are reported: what was measured, what came out, and what it must reach."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table; without `must_reach`, it is there for orientation."""

    measure: str
    figure: str
    must_reach: str = ""
    reached: bool | None = None


def at_most(measure: str, value: float, limit: float, unit: str = "", *, digits: int = 2, note: str = "") -> Figure:
    """Make a figure that must not be larger than a limit."""
    return Figure(
        measure=measure,
        figure=f"{value:.{digits}f}{unit}{f' ({note})' if note else ''}",
        must_reach=f"≤ {limit:.{digits}f}{unit}",
        reached=value <= limit,
    )


def at_least(measure: str, value: float, limit: float, unit: str = "", *, digits: int = 2, note: str = "") -> Figure:
    """Make a figure that must not be smaller than a limit."""
    return Figure(
        measure=measure,
        figure=f"{value:.{digits}f}{unit}{f' ({note})' if note else ''}",
        must_reach=f"≥ {limit:.{digits}f}{unit}",
        reached=value >= limit,
    )


def table(figures: Iterable[Figure]) -> str:
    """Write figures as a table in Markdown."""
    lines = ["| measure | figure | must reach | reached |", "| --- | --- | --- | --- |"]
    for each in figures:
        reached = {True: "yes", False: "**no**", None: ""}[each.reached]
        lines.append(f"| {each.measure} | {each.figure} | {each.must_reach} | {reached} |")
    return "\n".join(lines)


def paired(ours: list[float], theirs: list[float]) -> float:
    """Return the median of the ratios of what was measured one right after the other."""
    return median(our / their for our, their in zip(ours, theirs, strict=True))


def percentile(values: list[float], number: int) -> float:
    """Return the value that so many of a hundred do not exceed."""
    return quantiles(values, n=100, method="inclusive")[number - 1]
