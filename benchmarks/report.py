"""The page docs/benchmarks.md with all results."""

from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from .figures import Figure, render_table
from .machine import describe_machine, describe_versions

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"

INTRO = """\
# Benchmarks

What alguna_portal costs a site, weighed against what one would otherwise use: a view written by hand, and Alguna's
official SDK. Written by `make bench` on {day}; do not edit. `.venv/bin/python -m benchmarks clicks` runs one part
({parts}) and prints.

Both sides of a ratio are measured in the same run and take turns, so that whatever else the machine does hits both;
a ratio is the median of the ratios of neighbours, and times are medians. Lines without a limit are there for
orientation.

Everything happens on one machine: {machine}.
{versions}.

{table}

## How it was measured
"""


def write_page(results: list[tuple[str, list[Figure]]], parts: list[str]) -> Path:
    """Write the page from the parts' docstrings and figures; return where it is."""
    figures = render_table(chain.from_iterable(figures for _, figures in results))
    intro = INTRO.format(
        parts=", ".join(parts),
        day=datetime.now(UTC).date(),
        machine=describe_machine(),
        versions=describe_versions(),
        table=figures,
    )
    PAGE.write_text("\n".join([intro, *(f"{method.strip()}\n" for method, _ in results)]).rstrip() + "\n")
    return PAGE
