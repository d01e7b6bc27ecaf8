"""Databases that the tests can run on: their names, their URLs, and which of them may be missing in CI.

The environment variable `TESTS_DATABASE` is the name of the database for the tests' own tables. The default is SQLite.
"""

import os
from pathlib import Path

DECLARED = Path(__file__).parent.parent.parent / ".ci" / "missing"

SERVERS = {
    "postgres": ("POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres"),
    "mariadb": ("MARIADB_URL", "mysql://root@127.0.0.1:3306/test"),
}


def get_database_url(name: str) -> str:
    """Return the URL of a database; raise `KeyError` if the name is unknown."""
    return "sqlite://:memory:" if name == "sqlite" else os.environ.get(*SERVERS[name])


def read_declared_missing() -> list[str]:
    """Return the names of interpreters and servers that may be missing in CI."""
    lines = (line.partition("#")[0].strip() for line in DECLARED.read_text().splitlines())
    return [line for line in lines if line]


def may_be_missing(need: str) -> bool:
    """Whether a test that needs an interpreter or server may be skipped. In CI, the file has to declare it."""
    return not os.environ.get("CI") or need in read_declared_missing()
