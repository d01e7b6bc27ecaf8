"""Mutation score: reads mutmut's results and fails if a surviving mutant isn't justified: `python -m tests.mutants`.

Run it after `mutmut run`; `make mutants` does both. Each survivor has to be killed by a test or justified in
tests/mutants.toml. Justifications that no survivor needs fail, too.

mutmut numbers the mutants of a function anew after every edit, so a justification names the function, the original line
and the mutated lines.

mutmut doesn't mutate code that runs at import, or functions with decorators other than `@classmethod`: of the modules
tested here, those with `@contextmanager` or `@sensitive_variables` in `customers.provisioning`, `sessions.cache` and
`webhooks.signatures`.
"""

import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# mutmut's commands either don't print what a mutant changes, or start a process for each mutant.
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

JUSTIFICATIONS = Path(__file__).with_suffix(".toml")
KILLED = {"killed", "timeout", "caught by type check"}


@dataclass(frozen=True, kw_only=True)
class Change:
    """The change that a mutant makes to one or more lines of a function, with whitespace normalized."""

    function: str
    was: str
    now: str


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A mutant with its status: “killed”, “survived” or mutmut's reason why it wasn't tested."""

    path: Path
    status: str
    change: Change | None  # None if it was killed


def main() -> int:
    """Print the score; return 1 if a mutant is neither killed nor justified."""
    lines, is_good = create_report(list(read_mutants()), parse_justifications(JUSTIFICATIONS.read_text()))
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0 if is_good else 1


def create_report(mutants: list[Mutant], justified: dict[Change, str]) -> tuple[list[str], bool]:
    """Return the lines of a table with the score of each module and of all problems, and whether there are none."""
    lines = [format_row("", "mutants", "killed", "justified", "not")]
    total: Counter[str] = Counter()
    for path in dict.fromkeys(mutant.path for mutant in mutants):
        counts = Counter(classify(mutant, justified) for mutant in mutants if mutant.path == path)
        lines.append(format_row(str(path), counts.total(), counts["killed"], counts["justified"], counts["not"]))
        total += counts
    lines.append(format_row("in all", total.total(), total["killed"], total["justified"], total["not"]))
    for mutant in mutants:
        if mutant.change and classify(mutant, justified) == "not":
            lines += format_problem(mutant.status, mutant.change)
    unneeded = justified.keys() - {mutant.change for mutant in mutants if classify(mutant, justified) == "justified"}
    for change in sorted(unneeded, key=str):
        lines += format_problem(f"no survivor, but {JUSTIFICATIONS.name} justifies it", change)
    tested = total.total() or 1
    lines += ["", f"Killed: {total['killed'] / tested:.1%}. Killed or justified: {1 - total['not'] / tested:.1%}."]
    return lines, bool(mutants) and not total["not"] and not unneeded


def read_mutants() -> Iterator[Mutant]:
    """Read the results from mutmut's folder."""
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        for name, code in data.exit_code_by_key.items():
            status = "killed" if status_by_exit_code[code] in KILLED else status_by_exit_code[code]
            change = None if status == "killed" else parse_diff(name, get_diff_for_mutant(name, path=path))
            yield Mutant(path=path, status=status, change=change)


def parse_diff(name: str, diff: str) -> Change:
    """Parse mutmut's unified diff of a mutant."""
    function, class_name = orig_function_and_class_names_from_key(name)
    module = name.partition(".x_" if class_name is None else ".xǁ")[0]
    lines = diff.splitlines()[2:]
    return Change(
        function=".".join(filter(None, (module, class_name, function))),
        was=join_lines(line[1:] for line in lines if line.startswith("-")),
        now=join_lines(line[1:] for line in lines if line.startswith("+")),
    )


def join_lines(lines: Iterator[str]) -> str:
    """Join lines into one, without the whitespace that formatters change."""
    return " ".join(" ".join(lines).split())


def parse_justifications(text: str) -> dict[Change, str]:
    """Parse the TOML file; return the reason for each justified change."""
    return {
        Change(function=entry["function"], was=entry["was"], now=now): entry["why"]
        for entry in tomllib.loads(text)["survivors"]
        for now in entry["now"]
    }


def classify(mutant: Mutant, justified: dict[Change, str]) -> str:
    """Return “killed”, “justified” or “not”. A mutant that wasn't tested can't be justified."""
    if mutant.status == "killed":
        return "killed"
    return "justified" if mutant.status == "survived" and mutant.change in justified else "not"


def format_row(name: str, *cells: object) -> str:
    """Format a row of the table."""
    return f"{name:36}" + "".join(f"{cell:>10}" for cell in cells)


def format_problem(problem: str, change: Change) -> list[str]:
    """Format a problem with the change that it's about."""
    return ["", f"{change.function}: {problem}", f"  - {change.was}", f"  + {change.now}"]


if __name__ == "__main__":
    sys.exit(main())
