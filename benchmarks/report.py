"""Writer for docs/benchmarks.md: method, machine and figures."""

from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from .figures import Figure, render_table
from .machine import describe_machine, describe_versions

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"

INTRO = """\
# Benchmarks

The cost of alguna_portal, compared with the alternatives: a handwritten view and Alguna's official SDK. `make bench`
wrote this page on {day}; don't edit it. `.venv/bin/python -m benchmarks clicks` runs one part and prints its figures.
The parts are {parts}.

Both sides of a ratio are measured alternately in the same run, so that other load on the machine affects both. A ratio
is the median of the ratios between neighbouring measurements, and times are medians. Rows without a limit are for
information.

Everything runs on one machine: {machine}.
{versions}.

{table}

## How it was measured
"""


def write_page(results: list[tuple[str, list[Figure]]], parts: list[str]) -> Path:
    """Write the page with the docstrings and figures of the parts; return its path."""
    table = render_table(chain.from_iterable(figures for _, figures in results))
    intro = INTRO.format(
        parts=", ".join(parts),
        day=datetime.now(UTC).date(),
        machine=describe_machine(),
        versions=describe_versions(),
        table=table,
    )
    PAGE.write_text("\n".join([intro, *(f"{method.strip()}\n" for method, _ in results)]).rstrip() + "\n")
    return PAGE
