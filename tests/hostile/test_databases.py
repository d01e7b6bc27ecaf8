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
def said(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """What a site said on a database of its own, to all that is tried in `on_database.py`."""
    with own_database(request.param) as own:
        yield json.loads(run_python(own, "import tests.hostile.on_database as attack; attack.main()"))


def test_nothing_is_an_error(said: dict[str, Any]) -> None:
    """NUL characters, wildcards, huge numbers and emoji: in choices, links, searches, addresses and forms."""
    assert said["errors"] == []
    assert said["asked"] > 150


def test_a_wildcard_finds_only_itself(said: dict[str, Any]) -> None:
    """`%`, `_` and a backslash stand for themselves in a search."""
    assert said["found"] == {"%": ["100% Ltd"], "_": ["snake_case"], "\\": ["back\\slash"]}


def test_a_look_alike_is_another_customer_or_none(said: dict[str, Any]) -> None:
    """Where the database cannot tell it from the other, it is refused as it is made, and the other stays as it is."""
    assert set(said["alike"].values()) <= {"IntegrityError", "refused, opens its own"}
    assert said["alias"] == "acmé-1"


def test_a_form_says_so_at_its_field(said: dict[str, Any]) -> None:
    """Support that types an alias the database takes for another one's is told, and sees no error page."""
    assert set(said["typed"].values()) <= {"stored", "refused: alias"}


def test_an_id_is_not_stored_on_a_row_that_became_a_look_alike(said: dict[str, Any]) -> None:
    """An alias that is changed while Alguna is asked about the old one: also where the database sees no change."""
    assert set(said["stored"].values()) == {"StrangerAnswered, None"}
