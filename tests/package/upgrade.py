"""Helpers that fill a database with an earlier version of the code, upgrade it and compare its rows."""

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from tests.docs.code_blocks import ROOT
from tests.package.conftest import CLEAN_ENV, run
from tests.services.conftest import own_database

Rows = dict[str, list[dict[str, str]]]


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database, which `migration_script` changes with this or another version of the code."""

    settings: dict[str, Any]

    def run_action(self, *arguments: str, code: Path = ROOT) -> Any:
        """Run the script with the code in a folder; return its output."""
        script = str(Path(__file__).with_name("migration_script.py"))
        command = [sys.executable, "-W", "error", script, json.dumps(self.settings), *arguments]
        return json.loads(run(*command, env={**CLEAN_ENV, "PYTHONPATH": str(code)}).stdout)


def create_sqlite(folder: Path) -> Database:
    """Return an SQLite database in a folder."""
    return Database(settings={"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "db.sqlite3")})


@contextmanager
def create_database(name: str, folder: Path) -> Iterator[Database]:
    """Create an empty database for one test, on SQLite or on one of the servers."""
    if name == "sqlite":
        yield create_sqlite(folder)
        return
    with own_database(name) as own:
        yield Database(settings=own.database)


def find_lost_rows(before: Rows, after: Rows) -> list[str]:
    """Return the rows that no longer exist. Only models and columns that exist before and after are compared."""
    return [
        f"{label}: {row}"
        for label in before.keys() & after.keys()
        for row in before[label]
        if not any(all(other[name] == row[name] for name in row.keys() & other.keys()) for other in after[label])
    ]


def get_release_tags(repository: Path) -> list[str]:
    """Return the tags of the releases before this version; raise `LookupError` if there is no repository or no git."""
    try:
        done = run("git", "tag", "--list", "v*", "--merged", "HEAD", cwd=repository, check=False)
    except FileNotFoundError as exc:
        raise LookupError("there is no git") from exc
    if done.returncode:
        raise LookupError(done.stderr.strip())
    return done.stdout.split()


def extract_code(tag: str, repository: Path, folder: Path) -> Path:
    """Write the package as it was at a tag to a folder; return the folder."""
    command = ["git", "archive", tag, "alguna_portal"]
    archive = subprocess.run(command, cwd=repository, env=CLEAN_ENV, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


def upgrade(database: Database, old: Path, *, new: Path = ROOT) -> list[str]:
    """Fill a database with old code and migrate it with new code; return the lost rows."""
    before = database.run_action("fill", code=old)
    assert before["code"].startswith(str(old)), f"{before['code']} is not the old code."
    assert all(before["rows"].values()), "A model has no row."
    return find_lost_rows(before["rows"], database.run_action("upgrade", code=new)["rows"])
