"""Weigh what mutmut found: `python -m tests.mutants`, after `mutmut run`; `make mutants` does both.

A mutant is killed by a test, or it survives: then tests/mutants.toml justifies it, or it is a hole in the tests, and
one hole is enough to fail. So is a justification that no survivor needs any more.

Mutmut numbers the mutants of a function, and every edit numbers them anew. So a justification names the function, the
line as it was, and what mutants make of it.

Mutmut leaves alone what runs at import, and functions with decorators other than `@classmethod`: of those that count
here, `customers._locked`, and what has `@sensitive_variables` in `webhooks.signatures`.
"""

import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# What mutmut's commands print names mutants without what they change, or takes a process for each.
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

JUSTIFIED = Path(__file__).with_suffix(".toml")
KILLED = {"killed", "timeout", "caught by type check"}


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a mutant makes of a line of a function, or of several; white space does not count."""

    function: str
    was: str
    now: str


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A mutant, and what became of it: “killed”, “survived”, or what mutmut says of one that was not tried."""

    path: Path
    status: str
    change: Change | None  # of one that was not killed


def main() -> int:
    """Print the score; return 1 where a mutant is neither killed nor justified."""
    lines, is_good = weigh(list(found()), read(JUSTIFIED.read_text()))
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0 if is_good else 1


def weigh(mutants: list[Mutant], justified: dict[Change, str]) -> tuple[list[str], bool]:
    """Write the score, module by module, and what is wrong with it; say whether nothing is."""
    lines = [row("", "mutants", "killed", "justified", "not")]
    total: Counter[str] = Counter()
    for path in dict.fromkeys(mutant.path for mutant in mutants):
        fates = Counter(fate(mutant, justified) for mutant in mutants if mutant.path == path)
        lines.append(row(str(path), fates.total(), fates["killed"], fates["justified"], fates["not"]))
        total += fates
    lines.append(row("in all", total.total(), total["killed"], total["justified"], total["not"]))
    for mutant in mutants:
        if mutant.change and fate(mutant, justified) == "not":
            lines += shown(mutant.status, mutant.change)
    unneeded = justified.keys() - {mutant.change for mutant in mutants if fate(mutant, justified) == "justified"}
    for change in sorted(unneeded, key=str):
        lines += shown(f"no survivor, but {JUSTIFIED.name} justifies it", change)
    tried = total.total() or 1
    lines += ["", f"Killed: {total['killed'] / tried:.1%}. Killed or justified: {1 - total['not'] / tried:.1%}."]
    return lines, bool(mutants) and not total["not"] and not unneeded


def found() -> Iterator[Mutant]:
    """Read what mutmut left in its folder."""
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        for name, code in data.exit_code_by_key.items():
            status = "killed" if status_by_exit_code[code] in KILLED else status_by_exit_code[code]
            change = None if status == "killed" else change_of(name, get_diff_for_mutant(name, path=path))
            yield Mutant(path=path, status=status, change=change)


def change_of(name: str, diff: str) -> Change:
    """Read a unified diff, as mutmut writes it."""
    function, class_name = orig_function_and_class_names_from_key(name)
    module = name.partition(".x_" if class_name is None else ".xǁ")[0]
    lines = diff.splitlines()[2:]
    return Change(
        function=".".join(filter(None, (module, class_name, function))),
        was=squeezed(line[1:] for line in lines if line.startswith("-")),
        now=squeezed(line[1:] for line in lines if line.startswith("+")),
    )


def squeezed(lines: Iterator[str]) -> str:
    """Join lines into one, without what formatters change."""
    return " ".join(" ".join(lines).split())


def read(text: str) -> dict[Change, str]:
    """Read the justifications, and the reason of each."""
    return {
        Change(function=entry["function"], was=entry["was"], now=now): entry["why"]
        for entry in tomllib.loads(text)["survivors"]
        for now in entry["now"]
    }


def fate(mutant: Mutant, justified: dict[Change, str]) -> str:
    """Say what is to be counted of a mutant. One that was not tried cannot be justified."""
    if mutant.status == "killed":
        return "killed"
    return "justified" if mutant.status == "survived" and mutant.change in justified else "not"


def row(name: str, *cells: object) -> str:
    """Write a line of the table."""
    return f"{name:36}" + "".join(f"{cell:>10}" for cell in cells)


def shown(what: str, change: Change) -> list[str]:
    """Write what is wrong with a mutant."""
    return ["", f"{change.function}: {what}", f"  - {change.was}", f"  + {change.now}"]


if __name__ == "__main__":
    sys.exit(main())
