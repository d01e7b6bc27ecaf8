"""Figures of the report: measure, result and limit, and their table in Markdown."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row of the table. Without `must_reach`, it has no limit."""

    measure: str
    figure: str
    must_reach: str = ""
    reached: bool | None = None


def require_at_most(
    measure: str, value: float, limit: float, unit: str = "", *, digits: int = 2, note: str = ""
) -> Figure:
    """Return a figure with an upper limit."""
    return Figure(
        measure=measure,
        figure=f"{value:.{digits}f}{unit}{f' ({note})' if note else ''}",
        must_reach=f"≤ {limit:.{digits}f}{unit}",
        reached=value <= limit,
    )


def require_at_least(
    measure: str, value: float, limit: float, unit: str = "", *, digits: int = 2, note: str = ""
) -> Figure:
    """Return a figure with a lower limit."""
    return Figure(
        measure=measure,
        figure=f"{value:.{digits}f}{unit}{f' ({note})' if note else ''}",
        must_reach=f"≥ {limit:.{digits}f}{unit}",
        reached=value >= limit,
    )


def render_table(figures: Iterable[Figure]) -> str:
    """Render figures as a Markdown table."""
    lines = ["| measure | figure | must reach | reached |", "| --- | --- | --- | --- |"]
    for each in figures:
        reached = {True: "yes", False: "**no**", None: ""}[each.reached]
        lines.append(f"| {each.measure} | {each.figure} | {each.must_reach} | {reached} |")
    return "\n".join(lines)


def get_median_ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median of the ratios between measurements that were made right after each other."""
    return median(our / their for our, their in zip(ours, theirs, strict=True))


def get_percentile(values: list[float], number: int) -> float:
    """Return a percentile, for example the 95th."""
    return quantiles(values, n=100, method="inclusive")[number - 1]
