"""The suite on each Python with its Django, and on each database: `make matrix`, or `nox -s py3.13-django6.1-sqlite`.

The full product would be nine cells, and hours. Here each pair of Python and Django runs on SQLite, the newest pair on
PostgreSQL and the oldest on MariaDB; `lowest` has the lowest releases that pyproject.toml allows. What no cell needs to
repeat runs once, in `make test`: the browser, which meets the same pages; the documentation; the tests marked `slow`,
which build or install something or try thousands of cases against the sandbox; and, on PostgreSQL and MariaDB, the
tests marked `services`, which are on databases of their own whatever the suite is on.
"""

import os
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import nox

sys.path.insert(0, str(Path(__file__).parent))

from tests.support.databases import SERVERS, declared_missing, url


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One combination that the suite runs on."""

    python: str
    django: str
    database: str

    @property
    def name(self) -> str:
        """What its session is called."""
        return f"py{self.python}-django{self.django}-{self.database}"

    @property
    def needs(self) -> list[str]:
        """The interpreter and the servers without which it cannot run."""
        return [f"python{self.python}", *([self.database] if self.database in SERVERS else [])]


CELLS = [
    Cell(python="3.11", django="5.2", database="sqlite"),
    Cell(python="3.12", django="6.0", database="sqlite"),
    Cell(python="3.13", django="6.1", database="sqlite"),
    Cell(python="3.13", django="6.1", database="postgres"),
    Cell(python="3.11", django="5.2", database="mariadb"),
]

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = bool(os.environ.get("CI"))
nox.options.reuse_venv = "yes"


def is_here(need: str) -> bool:
    """Say whether an interpreter runs, or a server takes connections and its driver can be built."""
    if need not in SERVERS:
        # pyenv has a command for each Python it has, also for those that are not chosen: these only say so.
        found = shutil.which(need)
        return found is not None and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0
    if need == "mariadb" and not (shutil.which("mariadb_config") or shutil.which("mysql_config")):
        return False
    server = urlsplit(url(need))
    ports = {"postgres": 5432, "mariadb": 3306}
    try:
        with socket.create_connection((server.hostname or "127.0.0.1", server.port or ports[need]), timeout=5):
            return True
    except OSError:
        return False


def left_out(missing: Iterable[str], *, declared: Iterable[str], ci: bool) -> str:
    """Say what is not tried for want of what is missing; in CI, `LookupError` unless that is declared."""
    missing = list(missing)
    undeclared = [need for need in missing if need not in declared]
    if ci and undeclared:
        raise LookupError(f"{' and '.join(undeclared)} cannot be had. Install it; or add it to .ci/missing.")
    return f"{' AND '.join(missing).upper()} IS NOT HERE: nothing was tried on it." if missing else ""


def lowest(requirements: Iterable[str]) -> list[str]:
    """Turn requirements into the lowest releases that they allow; `ValueError` where one names none."""
    pins = []
    for requirement in requirements:
        name, at_least, version = requirement.partition(">=")
        if not at_least or "," in version:
            raise ValueError(f"{requirement} does not say from which release on, and that alone.")
        pins.append(f"{name}=={version}")
    return pins


def run(session: nox.Session, cell: Cell, *pins: str) -> None:
    """Run the suite in a cell, with these releases."""
    servers = "" if cell.database == "sqlite" else " and not services"
    need_driver = cell.database == "mariadb" or not servers
    driver = need_driver and is_here("mariadb")
    pip = ("--quiet", "--disable-pip-version-check")
    session.install(*pip, "--editable", ".[dev,mariadb]" if driver else ".[dev]", *pins)
    session.run(
        *("pytest", "-n", "auto", "-m", f"not browser and not slow{servers}", "--ignore", "tests/docs"),
        *session.posargs,
        env={"TESTS_DATABASE": cell.database},
    )


def can_run(session: nox.Session, cell: Cell) -> None:
    """Skip aloud where something is missing; in CI, fail unless that is declared."""
    missing = [need for need in cell.needs if not is_here(need)]
    try:
        said = left_out(missing, declared=declared_missing(), ci=bool(os.environ.get("CI")))
    except LookupError as exc:
        session.error(str(exc))
    if said:
        session.skip(said)


def add(cell: Cell) -> None:
    """Make a session of a cell."""

    # In the Python that runs nox, until it is known that the cell's own is here: nox would not read our list.
    @nox.session(
        name=cell.name,
        python=cell.python if is_here(f"python{cell.python}") else False,
        default=cell.name != os.environ.get("MATRIX_WITHOUT"),  # which has run elsewhere
    )
    def suite(session: nox.Session) -> None:
        can_run(session, cell)
        run(session, cell, f"Django=={cell.django}.*")


for each in CELLS:
    add(each)


LOWEST = Cell(python="3.11", django="5.2", database="sqlite")


@nox.session(name="lowest", python=LOWEST.python if is_here("python3.11") else False)
def lowest_releases(session: nox.Session) -> None:
    """Run the suite on the lowest releases that pyproject.toml allows."""
    can_run(session, LOWEST)
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    run(session, LOWEST, *lowest(project["dependencies"]))
