"""nox sessions that run the tests on each Python with its Django and on each database: `make matrix`.

`nox -s py3.13-django6.1-sqlite` runs one session. All nine combinations would take hours, so each pair of Python and
Django runs on SQLite, the newest pair also on PostgreSQL and the oldest on MariaDB. `lowest` installs the lowest
releases that pyproject.toml allows. `make test` runs once what doesn't depend on the combination: the browser tests,
the documentation, the tests marked `slow` and, for PostgreSQL and MariaDB, the tests marked `services`, which create
their own databases.
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

from tests.support.databases import SERVERS, get_database_url, read_declared_missing


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One combination of Python, Django and database."""

    python: str
    django: str
    database: str

    @property
    def name(self) -> str:
        """The name of the nox session."""
        return f"py{self.python}-django{self.django}-{self.database}"

    @property
    def requirements(self) -> list[str]:
        """The interpreter and the database server that the session needs."""
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


def is_available(requirement: str) -> bool:
    """Whether an interpreter runs, or a server accepts connections and its driver can be built."""
    if requirement not in SERVERS:
        # pyenv has a command for each of its Pythons. Those that aren't selected only print an error.
        path = shutil.which(requirement)
        return path is not None and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0
    if requirement == "mariadb" and not (shutil.which("mariadb_config") or shutil.which("mysql_config")):
        return False
    server = urlsplit(get_database_url(requirement))
    ports = {"postgres": 5432, "mariadb": 3306}
    try:
        with socket.create_connection((server.hostname or "127.0.0.1", server.port or ports[requirement]), timeout=5):
            return True
    except OSError:
        return False


def get_skip_message(missing: list[str], *, declared: Iterable[str], ci: bool) -> str:
    """Return the message for skipping a session, or "" if nothing is missing.

    In CI, raise `LookupError` if a missing requirement isn't declared in .ci/missing.
    """
    undeclared = [requirement for requirement in missing if requirement not in declared]
    if ci and undeclared:
        raise LookupError(f"{' and '.join(undeclared)} cannot be had. Install it; or add it to .ci/missing.")
    return f"{' AND '.join(missing).upper()} IS NOT HERE: nothing was tried on it." if missing else ""


def pin_lowest_releases(requirements: Iterable[str]) -> list[str]:
    """Pin requirements to the lowest release that they allow; raise `ValueError` for other forms than `name>=1.0`."""
    pins = []
    for requirement in requirements:
        name, operator, version = requirement.partition(">=")
        if not operator or "," in version:
            raise ValueError(f"{requirement} does not say from which release on, and that alone.")
        pins.append(f"{name}=={version}")
    return pins


def run_suite(session: nox.Session, cell: Cell, *pins: str) -> None:
    """Install pinned releases and run the tests."""
    servers = "" if cell.database == "sqlite" else " and not services"
    needs_driver = cell.database == "mariadb" or not servers
    driver = needs_driver and is_available("mariadb")
    pip = ("--quiet", "--disable-pip-version-check")
    session.install(*pip, "--editable", ".[dev,mariadb]" if driver else ".[dev]", *pins)
    session.run(
        *("pytest", "-n", "auto", "-m", f"not browser and not slow{servers}", "--ignore", "tests/docs"),
        *session.posargs,
        env={"TESTS_DATABASE": cell.database},
    )


def check_requirements(session: nox.Session, cell: Cell) -> None:
    """Skip the session with a message if a requirement is missing. In CI, fail unless .ci/missing declares it."""
    missing = [requirement for requirement in cell.requirements if not is_available(requirement)]
    try:
        message = get_skip_message(missing, declared=read_declared_missing(), ci=bool(os.environ.get("CI")))
    except LookupError as exc:
        session.error(str(exc))
    if message:
        session.skip(message)


def add_session(cell: Cell) -> None:
    """Register the nox session of a combination."""

    # If the interpreter is missing, the session starts in nox's own Python, because nox doesn't read .ci/missing.
    @nox.session(
        name=cell.name,
        python=cell.python if is_available(f"python{cell.python}") else False,
        default=cell.name != os.environ.get("MATRIX_WITHOUT"),  # `make test` runs this one
    )
    def suite(session: nox.Session) -> None:
        check_requirements(session, cell)
        run_suite(session, cell, f"Django=={cell.django}.*")


for each in CELLS:
    add_session(each)


LOWEST = Cell(python="3.11", django="5.2", database="sqlite")


@nox.session(name="lowest", python=LOWEST.python if is_available("python3.11") else False)
def lowest_releases(session: nox.Session) -> None:
    """Run the tests with the lowest releases that pyproject.toml allows."""
    check_requirements(session, LOWEST)
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    run_suite(session, LOWEST, *pin_lowest_releases(project["dependencies"]))
