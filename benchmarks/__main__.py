"""Command that runs the benchmarks: `python -m benchmarks` writes docs/benchmarks.md; with names, only those run."""

import argparse
from importlib import import_module
from time import monotonic

from .figures import Figure, render_table
from .report import write_page

PARTS = ["clicks", "cold_call", "startup", "single_flight", "outage", "memory", "provision"]


def main() -> None:
    """Run the given parts, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"one of {', '.join(PARTS)}; all unless named")
    named = parser.parse_args().parts
    if unknown := set(named) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    results: list[tuple[str, list[Figure]]] = []
    for name in named or PARTS:
        started = monotonic()
        part = import_module(f".parts.{name}", __package__)
        figures = part.measure()
        print(f"\n{name}, {monotonic() - started:.0f} s\n\n{render_table(figures)}", flush=True)
        results.append((str(part.__doc__), figures))
    if not named:
        print(f"\nWritten to {write_page(results, PARTS)}")


if __name__ == "__main__":
    main()
