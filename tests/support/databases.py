"""The databases that the suite can run on: what each is called, where it is found, and what CI may do without.

`TESTS_DATABASE` names the one that the tests' own tables are in. It is SQLite unless told otherwise.
"""

import os
from pathlib import Path

DECLARED = Path(__file__).parent.parent.parent / ".ci" / "missing"

SERVERS = {
    "postgres": ("POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres"),
    "mariadb": ("MARIADB_URL", "mysql://root@127.0.0.1:3306/test"),
}


def url(name: str) -> str:
    """Return the URL of a database; `KeyError` where the name is of none."""
    return "sqlite://:memory:" if name == "sqlite" else os.environ.get(*SERVERS[name])


def declared_missing() -> list[str]:
    """List what CI may do without: interpreters and servers, by name."""
    lines = (line.partition("#")[0].strip() for line in DECLARED.read_text().splitlines())
    return [line for line in lines if line]


def may_be_missing(need: str) -> bool:
    """Say whether a test that needs something may be skipped: everywhere but in CI, and there, if it is declared."""
    return not os.environ.get("CI") or need in declared_missing()
