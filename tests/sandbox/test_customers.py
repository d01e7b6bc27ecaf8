"""Customers in the engine; tests/contract has the cases that don't depend on the clock or on the state."""

from typing import Any

import pytest

from tests.sandbox.conftest import EngineClient, get_json

CONTACT = {"email": "a@acme.test", "is_primary": True}


def get_ids(engine: EngineClient, **query: str) -> list[str]:
    return [customer["id"] for customer in get_json(engine.request("GET", "/customers", query=query))["data"]]


def test_response_has_ids_times_and_the_fields_that_were_sent(engine: EngineClient) -> None:
    customer = engine.create_customer(
        aliases=["ext_1", "ext_1", "ext_2"],
        contacts=[{**CONTACT, "first_name": "Ann", "last_name": None}],
        billing_address={"line1": "1 Main St", "country": "USA", "state": None},
    )
    assert customer["id"].startswith("cust_")
    assert customer["aliases"] == ["ext_1", "ext_2"]
    (contact,) = customer["contacts"]
    assert contact.pop("id").startswith("cont_")
    assert contact == {**CONTACT, "first_name": "Ann", "email_preferences": []}
    assert customer["billing_address"] == {"line1": "1 Main St", "country": "USA"}
    assert customer["created_at"] == customer["updated_at"] == "2026-04-01T10:00:00Z"


def test_unknown_fields_are_ignored(engine: EngineClient) -> None:
    customer = engine.create_customer(aliases=None, billing_address={}, colour="red")
    assert (customer["aliases"], customer["contacts"], customer["billing_address"]) == ([], [], {})
    assert "colour" not in customer
    assert "billing_address" not in engine.create_customer()


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"name": None}, "name"),
        ({"currency": "usd"}, "currency"),
        ({"aliases": [" "]}, "aliases"),
        ({"contacts": [CONTACT, {"is_primary": True}]}, "contacts[1].email"),
        ({"contacts": [{**CONTACT, "email": "acme"}]}, "contacts[0].email"),
        ({"contacts": [{"email": "a@acme.test"}]}, "contacts[0].is_primary"),
        ({"contacts": [{**CONTACT, "is_primary": 1}]}, "contacts[0].is_primary"),
        ({"contacts": [{**CONTACT, "id": 5}]}, "contacts[0].id"),
        ({"contacts": [{**CONTACT, "email_preferences": "all"}]}, "contacts[0].email_preferences"),
        ({"billing_address": None}, "billing_address"),
        ({"billing_address": {"city": 5}}, "billing_address.city"),
        ({"billing_address": {"country": "US"}}, "billing_address.country"),
    ],
)
def test_error_has_the_path_of_the_invalid_field(engine: EngineClient, fields: dict[str, Any], name: str) -> None:
    """Nothing is written."""
    response = engine.request("POST", "/customers", {"name": "Acme", "currency": "USD", **fields})
    assert get_json(response, status=422)["detail"].startswith(f"{name} ")
    assert not any(engine.state.values())


@pytest.mark.parametrize("alias", ["ext_1", "a/b", "a/b/", "ü ñ", "100%", "%2F", "?#&=", "line\nbreak", "."])
def test_aliases_can_contain_any_characters(engine: EngineClient, alias: str) -> None:
    customer = engine.create_customer(aliases=[alias])
    engine.create_customer()
    assert get_json(engine.request("GET", f"/customers/{alias}")) == customer
    found = get_json(engine.request("GET", "/customers/lookup", query={"alias": alias}))
    assert found == {"customer_id": customer["id"]}
    assert get_ids(engine, alias=alias) == [customer["id"]]


def test_filters_can_be_combined_and_email_ignores_case(engine: EngineClient) -> None:
    first = engine.create_customer(aliases=["one"], contacts=[CONTACT])
    second = engine.create_customer(aliases=["two"], contacts=[CONTACT, {**CONTACT, "email": "b@acme.test"}])
    assert get_ids(engine, email="A@acme.test") == [first["id"], second["id"]]
    assert get_ids(engine, email="b@acme.test", alias="two") == [second["id"]]
    assert get_ids(engine, email="b@acme.test", alias="one") == []
    assert get_ids(engine, limit="1", offset="1") == [second["id"]]
    assert get_ids(engine, offset="9") == []


@pytest.mark.parametrize("query", [{"limit": "x"}, {"limit": "٣"}, {"offset": "9" * 5000}])
def test_limit_and_offset_must_be_numbers(engine: EngineClient, query: dict[str, str]) -> None:
    (name,) = query
    assert get_json(engine.request("GET", "/customers", query=query), status=422)["detail"].startswith(name)


def test_update_changes_updated_at_and_only_fields_that_were_sent(engine: EngineClient) -> None:
    customer = engine.create_customer(aliases=["one", "two"], contacts=[CONTACT])
    engine.clock.move(hours=1)
    changed = get_json(engine.request("PATCH", f"/customers/{customer['id']}", {}))
    assert changed == {**customer, "updated_at": "2026-04-01T11:00:00Z"}
    address = {"city": "Bern"}
    fields = {"name": "New", "currency": "EUR", "aliases": ["two", "three"], "contacts": [], "billing_address": address}
    changed = get_json(engine.request("PATCH", "/customers/one", fields))
    assert {name: changed[name] for name in fields} == fields
    get_json(engine.request("GET", "/customers/one"), status=404)
    assert get_json(engine.request("GET", "/customers/two")) == changed
    assert get_json(engine.request("PATCH", "/customers/three", {"aliases": None}))["aliases"] == []


@pytest.mark.parametrize(
    "fields", [{"name": None}, {"currency": ""}, {"contacts": 1}, {"billing_address": 1}, {"aliases": 1}]
)
def test_update_validates_fields(engine: EngineClient, fields: dict[str, Any]) -> None:
    customer = engine.create_customer()
    (name,) = fields
    response = engine.request("PATCH", f"/customers/{customer['id']}", fields)
    assert get_json(response, status=422)["detail"].startswith(name)
    assert get_json(engine.request("GET", f"/customers/{customer['id']}")) == customer
