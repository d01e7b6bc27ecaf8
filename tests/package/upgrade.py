"""A database that is filled as it once was, and then brought to where it is today."""

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

from tests.package.conftest import CLEAN, ROOT, run
from tests.services.conftest import own_database

Rows = dict[str, list[dict[str, str]]]


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database, and what is done with it, by today's code or another's."""

    settings: dict[str, Any]

    def do(self, *what: str, code: Path = ROOT) -> Any:
        """Have it done; return what came of it."""
        command = [sys.executable, "-W", "error", str(Path(__file__).with_name("migration_script.py")), json.dumps(self.settings)]
        done = run(*command, *what, env={**CLEAN, "PYTHONPATH": str(code)})
        return json.loads(done.stdout)


@contextmanager
def database(name: str, folder: Path) -> Iterator[Database]:
    """Make an empty database for one test."""
    if name == "sqlite":
        yield Database(settings={"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "db.sqlite3")})
        return
    with own_database(name) as own:
        yield Database(settings=own.database)


def lost(before: Rows, after: Rows) -> list[str]:
    """Say what was there and is no longer, of the models and columns that there still are; ids are theirs for ever."""
    return [
        f"{label}: {row}"
        for label in before.keys() & after.keys()
        for row in before[label]
        if not any(same(row, now) for now in after[label])
    ]


def same(row: dict[str, str], now: dict[str, str]) -> bool:
    """Say whether two rows are the same in the columns that both have."""
    return all(now[name] == row[name] for name in row.keys() & now.keys())


def tags(repository: Path) -> list[str]:
    """List the releases before this one, by their tags; `LookupError` where there is no repository to ask."""
    try:
        done = run("git", "tag", "--list", "v*", "--merged", "HEAD", cwd=repository, check=False)
    except FileNotFoundError as exc:
        raise LookupError("there is no git") from exc
    if done.returncode:
        raise LookupError(done.stderr.strip())
    return done.stdout.split()


def code_of(tag: str, repository: Path, folder: Path) -> Path:
    """Lay out the package as it was at a tag; return the folder that it is in."""
    command = ["git", "archive", tag, "alguna_portal"]
    archive = subprocess.run(command, cwd=repository, env=CLEAN, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


def upgrade(database: Database, old: Path, *, new: Path = ROOT) -> list[str]:
    """Fill a database by old code, and migrate it by new code; say what was lost."""
    before = database.do("fill", code=old)
    assert before["code"].startswith(str(old)), f"{before['code']} is not the old code."
    assert all(before["rows"].values()), "A model has no row."
    return lost(before["rows"], database.do("upgrade", code=new)["rows"])
