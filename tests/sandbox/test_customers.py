"""Customers over the API."""

from typing import Any

import pytest

from tests.sandbox.conftest import Alguna, read


def ids(answer: dict[str, Any]) -> list[str]:
    return [entry["id"] for entry in answer["data"]]


def test_a_new_customer_comes_back_whole(alguna: Alguna) -> None:
    """What was sent is in the answer, with ids and times beside it."""
    customer = alguna.customer(
        aliases=["ext_1", "ext_1", "ext_2"],
        contacts=[{"email": "a@acme.test", "is_primary": True, "first_name": "Ann", "last_name": None}],
        billing_address={"line1": "1 Main St", "country": "USA", "state": None},
    )
    assert customer["id"].startswith("cust_")
    assert customer["aliases"] == ["ext_1", "ext_2"]
    (contact,) = customer["contacts"]
    assert contact.pop("id").startswith("cont_")
    assert contact == {
        "email": "a@acme.test",
        "is_primary": True,
        "first_name": "Ann",
        "email_preferences": [],
    }
    assert customer["billing_address"] == {"line1": "1 Main St", "country": "USA"}
    assert customer["created_at"] == customer["updated_at"] == "2026-04-01T10:00:00Z"


def test_only_a_name_and_a_currency_are_required(alguna: Alguna) -> None:
    """Null aliases count as none, unknown keys are passed over."""
    customer = alguna.customer(aliases=None, billing_address={}, colour="red")
    assert (customer["aliases"], customer["contacts"], customer["billing_address"]) == ([], [], {})
    assert "colour" not in customer
    assert "billing_address" not in alguna.customer()


CONTACT = {"email": "a@acme.test", "is_primary": True}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": None}, "name"),
        ({"name": " "}, "name"),
        ({"name": 7}, "name"),
        ({"currency": None}, "currency"),
        ({"currency": "usd"}, "currency"),
        ({"aliases": "ext"}, "aliases"),
        ({"aliases": [1]}, "aliases"),
        ({"aliases": [" "]}, "aliases"),
        ({"aliases": ["x" * 256]}, "aliases"),
        ({"contacts": {}}, "contacts"),
        ({"contacts": ["a@acme.test"]}, "contacts"),
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
def test_a_wrong_field_is_named_and_nothing_is_written(alguna: Alguna, fields: dict[str, Any], named: str) -> None:
    """Every type error is 422 and says which field it is about."""
    sent = {"name": "Acme", "currency": "USD", **fields}
    assert read(alguna.ask("POST", "/customers", sent), status=422)["detail"].startswith(f"{named} ")
    assert not any(alguna.state.values())


def test_a_taken_alias_is_a_conflict_without_retry_after(alguna: Alguna) -> None:
    """Nothing of the second customer is kept, its free aliases included."""
    first = alguna.customer(aliases=["ext_1"])
    answer = alguna.ask("POST", "/customers", {"name": "B", "currency": "USD", "aliases": ["ext_2", "ext_1"]})
    assert set(read(answer, status=409)) == {"detail", "status"}
    assert "Retry-After" not in answer.headers
    assert ids(read(alguna.ask("GET", "/customers"), status=200)) == [first["id"]]
    read(alguna.ask("GET", "/customers/ext_2"), status=404)


@pytest.mark.parametrize("alias", ["ext_1", "a/b", "a/b/", "ü ñ", "100%", "%2F", "?#&=", "line\nbreak", "."])
def test_an_alias_of_any_characters_finds_its_customer(alguna: Alguna, alias: str) -> None:
    """By path, by lookup and by search."""
    customer = alguna.customer(aliases=[alias])
    alguna.customer()
    assert read(alguna.ask("GET", f"/customers/{alias}"), status=200) == customer
    found = read(alguna.ask("GET", "/customers/lookup", query={"alias": alias}), status=200)
    assert found == {"customer_id": customer["id"]}
    assert ids(read(alguna.ask("GET", "/customers", query={"alias": alias}), status=200)) == [customer["id"]]


def test_lookup_needs_an_alias_and_says_when_nobody_has_it(alguna: Alguna) -> None:
    """No alias is 422, an unknown one 404."""
    read(alguna.ask("GET", "/customers/lookup"), status=422)
    read(alguna.ask("GET", "/customers/lookup", query={"alias": ""}), status=422)
    read(alguna.ask("GET", "/customers/lookup", query={"alias": "ext"}), status=404)


def test_search_filters_by_email_without_case(alguna: Alguna) -> None:
    """Alias and e-mail address narrow the list together."""
    first = alguna.customer(aliases=["one"], contacts=[CONTACT])
    second = alguna.customer(aliases=["two"], contacts=[CONTACT, {**CONTACT, "email": "b@acme.test"}])
    both = read(alguna.ask("GET", "/customers", query={"email": "A@acme.test"}), status=200)
    assert ids(both) == [first["id"], second["id"]]
    narrowed = {"email": "b@acme.test", "alias": "two"}
    assert ids(read(alguna.ask("GET", "/customers", query=narrowed), status=200)) == [second["id"]]
    nobody = {"email": "b@acme.test", "alias": "one"}
    assert ids(read(alguna.ask("GET", "/customers", query=nobody), status=200)) == []
    assert ids(read(alguna.ask("GET", "/customers", query={"alias": "three"}), status=200)) == []


def test_pages_follow_limit_and_offset(alguna: Alguna) -> None:
    """The last page is short, and beyond it there is nothing."""
    every = [alguna.customer()["id"] for _ in range(5)]
    page = read(alguna.ask("GET", "/customers", query={"limit": "2", "offset": "4"}), status=200)
    assert ids(page) == every[4:]
    assert page["pagination"] == {"per_page": 2, "total_pages": 3}
    assert ids(read(alguna.ask("GET", "/customers", query={"offset": "9"}), status=200)) == []
    assert ids(read(alguna.ask("GET", "/customers", query={"limit": "100"}), status=200)) == every


@pytest.mark.parametrize(
    "query",
    [{"limit": "101"}, {"limit": "0"}, {"limit": "x"}, {"limit": "٣"}, {"offset": "-1"}, {"offset": "9" * 5000}],
)
def test_a_wrong_limit_or_offset_is_named(alguna: Alguna, query: dict[str, str]) -> None:
    """At most 100 a page."""
    (name,) = query
    assert read(alguna.ask("GET", "/customers", query=query), status=422)["detail"].startswith(name)


def test_an_unknown_customer_is_not_found(alguna: Alguna) -> None:
    """Neither to be read nor to be changed."""
    read(alguna.ask("GET", "/customers/nobody"), status=404)
    read(alguna.ask("PATCH", "/customers/nobody", {}), status=404)


def test_a_change_leaves_alone_what_was_not_sent(alguna: Alguna) -> None:
    """Only the time of change moves with an empty change."""
    customer = alguna.customer(aliases=["one"], contacts=[CONTACT])
    alguna.clock.move(hours=1)
    changed = read(alguna.ask("PATCH", f"/customers/{customer['id']}", {}), status=200)
    assert changed == {**customer, "updated_at": "2026-04-01T11:00:00Z"}


def test_a_change_replaces_lists_whole(alguna: Alguna) -> None:
    """Old aliases are free again, new ones are the customer's, a kept one stays."""
    alguna.customer(aliases=["one", "two"], contacts=[CONTACT])
    sent = {
        "name": "New",
        "currency": "EUR",
        "aliases": ["two", "three"],
        "contacts": [],
        "billing_address": {"city": "Bern"},
    }
    changed = read(alguna.ask("PATCH", "/customers/one", sent), status=200)
    assert {name: changed[name] for name in sent} == sent
    read(alguna.ask("GET", "/customers/one"), status=404)
    assert read(alguna.ask("GET", "/customers/two"), status=200) == changed
    assert alguna.customer(aliases=["one"])["aliases"] == ["one"]
    assert read(alguna.ask("PATCH", "/customers/three", {"aliases": None}), status=200)["aliases"] == []


def test_a_change_cannot_take_anothers_alias(alguna: Alguna) -> None:
    """The refused change leaves both customers as they were."""
    first = alguna.customer(aliases=["one"])
    second = alguna.customer(aliases=["two"])
    refused = alguna.ask("PATCH", "/customers/two", {"name": "New", "aliases": ["three", "one"]})
    read(refused, status=409)
    assert read(alguna.ask("GET", "/customers/one"), status=200) == first
    assert read(alguna.ask("GET", "/customers/two"), status=200) == second
    read(alguna.ask("GET", "/customers/three"), status=404)


@pytest.mark.parametrize(
    "sent", [{"name": None}, {"currency": ""}, {"contacts": 1}, {"billing_address": 1}, {"aliases": 1}]
)
def test_a_wrong_change_is_named(alguna: Alguna, sent: dict[str, Any]) -> None:
    """A change is held to the same rules as a creation."""
    customer = alguna.customer()
    (name,) = sent
    answer = read(alguna.ask("PATCH", f"/customers/{customer['id']}", sent), status=422)
    assert answer["detail"].startswith(name)
