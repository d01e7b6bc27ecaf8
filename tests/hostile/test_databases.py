"""Look-alikes, wildcards and NUL characters on PostgreSQL and MariaDB, which see them otherwise than SQLite does.

MariaDB takes texts for equal that differ in case, in accents, in spaces at their ends, or in which emoji they hold.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.conftest import own_database, run_python
from tests.support.databases import SERVERS

pytestmark = pytest.mark.services

ATTACK = Path(__file__).with_name("on_database.py")


@pytest.fixture(scope="module", params=SERVERS)
def results(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """The results of all attacks in on_database.py, on a database of its own."""
    with own_database(request.param) as own:
        yield json.loads(run_python(own, "import tests.hostile.on_database as attack; attack.main()"))


def test_unusual_requests_cause_no_errors(results: dict[str, Any]) -> None:
    """Choices, links, searches, URLs and forms with NUL characters, wildcards, huge numbers and emoji."""
    assert results["errors"] == []
    assert results["asked"] > 150


def test_searches_treat_wildcards_literally(results: dict[str, Any]) -> None:
    assert results["found"] == {"%": ["100% Ltd"], "_": ["snake_case"], "\\": ["back\\slash"]}


def test_a_look_alike_alias_is_another_customer_or_rejected(results: dict[str, Any]) -> None:
    """If the database can't distinguish the aliases, creation fails and the first customer doesn't change."""
    assert set(results["alike"].values()) <= {"IntegrityError", "refused, opens its own"}
    assert results["alias"] == "acmé-1"


def test_the_admin_form_reports_a_look_alike_alias(results: dict[str, Any]) -> None:
    assert set(results["typed"].values()) <= {"stored", "refused: alias"}


def test_the_id_is_not_stored_if_the_alias_became_a_look_alike(results: dict[str, Any]) -> None:
    """The alias changes during the call to Alguna."""
    assert set(results["stored"].values()) == {"CustomerMismatch, None"}
