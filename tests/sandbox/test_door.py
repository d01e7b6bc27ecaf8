"""The HTTP door: the engine behind Django, its state in a table."""

import json
from typing import Any

import pytest
from django.test import Client

from alguna_portal.sandbox.models import Record
from alguna_portal.sandbox.web.store import Records
from tests.sandbox.conftest import HEADERS, Door


@pytest.mark.parametrize("encoded", ["a%2Fb%20c", "a/b%20c"])
def test_an_alias_with_a_slash_is_found_by_path(door: Door, encoded: str) -> None:
    """Encoded or not: servers decode the path before Django sees it."""
    customer = door.customer(aliases=["a/b c"])
    assert json.loads(door.ask("GET", f"/customers/{encoded}").content) == customer


@pytest.mark.parametrize("encoded", ["line%0Abreak", "%C3%BC", "x/", "100%25"])
def test_any_other_alias_passes_the_door_too(door: Door, encoded: str) -> None:
    """Line breaks, letters beyond ASCII, a slash at the end, a percent sign."""
    alias = {"line%0Abreak": "line\nbreak", "%C3%BC": "ü", "x/": "x/", "100%25": "100%"}[encoded]
    customer = door.customer(aliases=[alias])
    assert json.loads(door.ask("GET", f"/customers/{encoded}").content) == customer


def test_status_headers_and_query_pass_the_door(door: Door) -> None:
    """A conflict, a replay and a filter arrive as the engine meant them."""
    first = door.ask(
        "POST", "/customers", {"name": "A", "currency": "USD", "aliases": ["a"]}, **{"Idempotency-Key": "k"}
    )
    replay = door.ask(
        "POST", "/customers", {"name": "A", "currency": "USD", "aliases": ["a"]}, **{"Idempotency-Key": "k"}
    )
    assert replay.content == first.content
    assert replay["Idempotent-Replayed"] == "true"
    assert replay["Content-Type"] == "application/json"
    assert replay["Cache-Control"] == "no-store"
    assert door.ask("POST", "/customers", {"name": "B", "currency": "USD", "aliases": ["a"]}).status_code == 409
    assert json.loads(door.ask("GET", "/customers?alias=b").content)["data"] == []
    assert door.ask("PUT", "/customers")["Allow"] == "GET, POST"
    assert door.ask("GET", "/").status_code == 404


def test_a_change_is_kept(door: Door) -> None:
    """It is there for the next request, and the list keeps its order."""
    first, second = door.customer(aliases=["one"]), door.customer()
    door.ask("PATCH", "/customers/one", {"name": "New", "aliases": ["two"]})
    data = json.loads(door.ask("GET", "/customers").content)["data"]
    assert [(entry["id"], entry["name"]) for entry in data] == [(first["id"], "New"), (second["id"], "Acme Inc")]
    assert door.ask("GET", "/customers/one").status_code == 404


def test_the_session_url_follows_the_address_of_the_call(door: Door, settings: Any) -> None:
    """Whatever host and scheme the API was reached by, the portal is there too."""
    settings.ALLOWED_HOSTS = ["dev.test"]
    settings.ALGUNA_SANDBOX_SESSION_SECONDS = 60
    customer = door.client.post(
        "/sandbox/customers",
        {"name": "A", "currency": "USD", "aliases": ["a"]},
        content_type="application/json",
        headers={**HEADERS, "Host": "dev.test:8000"},
    ).json()
    answer = door.client.post(
        "/sandbox/customer-portal-sessions",
        {"customer_id": customer["id"]},
        content_type="application/json",
        headers={**HEADERS, "Host": "dev.test:8000"},
        secure=True,
    ).json()
    assert answer["url"].startswith("https://dev.test:8000/sandbox/hs/")
    assert answer["created_at"][:16] != answer["expires_at"][:16]


def test_the_api_needs_no_csrf_token(door: Door) -> None:
    """Its key is what protects it."""
    strict = Door(Client(enforce_csrf_checks=True))
    assert strict.customer()["name"] == "Acme Inc"


def test_the_api_key_is_a_setting(door: Door, settings: Any) -> None:
    """It is read at the time of the request."""
    settings.ALGUNA_SANDBOX_API_KEY = "other.key"
    assert door.ask("GET", "/customers").status_code == 401
    assert door.ask("GET", "/customers", Authorization="Bearer other.key").status_code == 200


def test_the_table_is_a_mapping_of_copies(door: Door) -> None:
    """A record changes when it is assigned, not when the copy does."""
    records = Records("things", using="default")
    records["a"] = {"n": 1}
    records["b"] = {"n": 2}
    records["a"]["n"] = 5
    assert dict(records) == {"a": {"n": 1}, "b": {"n": 2}}
    records["a"] = {"n": 3}
    assert list(records.values()) == [{"n": 3}, {"n": 2}]
    assert list(records) == ["a", "b"]
    assert len(records) == 2
    assert len(Records("others", using="default")) == 0
    del records["a"]
    assert "a" not in records
    with pytest.raises(KeyError):
        del records["a"]


def test_a_record_does_not_tell_its_key(door: Door) -> None:
    """Keys are aliases and the like, and may end in a log."""
    record = Record(collection="aliases", key="secret alias", data={}, pk=7)
    assert str(record) == "aliases record 7"
