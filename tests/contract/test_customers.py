"""Customers, at both doors: created, adopted, found, listed page by page, changed."""

from typing import Any

import pytest

from tests.contract.conftest import Door, mail, unused

pytestmark = pytest.mark.xdist_group("contract")

ADDRESS = {
    "line1": "123 Main St",
    "line2": "Suite 100",
    "city": "San Francisco",
    "state": "CA",
    "postal_code": "94105",
    "country": "USA",
}


def test_a_customer_is_created_with_all_that_was_sent(door: Door) -> None:
    """And with ids of its own and of its contacts."""
    alias, email = unused(), mail()
    contact = {
        "email": email,
        "is_primary": True,
        "first_name": "John",
        "last_name": "Doe",
        "email_preferences": ["invoices"],
    }
    customer = door.customer(aliases=[alias], contacts=[contact], billing_address=ADDRESS)
    assert customer["id"]
    assert (customer["name"], customer["currency"], customer["aliases"]) == ("Acme Corp", "USD", [alias])
    assert customer["billing_address"] == ADDRESS
    [created] = customer["contacts"]
    assert created.pop("id")
    assert created == contact


@pytest.mark.parametrize("aliases", [{}, {"aliases": None}, {"aliases": []}])
def test_a_customer_needs_no_alias(door: Door, aliases: dict[str, Any]) -> None:
    """Left out, null and empty are the same."""
    assert door.customer(**aliases)["aliases"] == []


def test_a_customer_is_got_by_id_and_by_alias(door: Door) -> None:
    """An alias may hold what a path must quote."""
    alias = unused("Müller & Söhne/50%")
    customer = door.customer(aliases=[alias])
    quoted = alias.replace("%", "%25").replace("/", "%2F").replace(" ", "%20").replace("&", "%26")
    for ident in (customer["id"], quoted):
        answer = door.ask("GET", f"/customers/{ident}")
        assert (answer.status_code, answer.json()) == (200, customer)


def test_an_alias_is_looked_up(door: Door) -> None:
    """The answer is the customer's id and no more."""
    alias = unused()
    customer = door.customer(aliases=[unused(), alias])
    answer = door.ask("GET", "/customers/lookup", alias=alias)
    assert (answer.status_code, answer.json()) == (200, {"customer_id": customer["id"]})


def test_a_taken_alias_is_adopted_by_looking_it_up(door: Door) -> None:
    """The second creation is a real conflict, without Retry-After, and leads to the first customer."""
    alias = unused()
    first = door.customer(aliases=[alias])
    second = door.ask("POST", "/customers", {"name": "Acme again", "currency": "EUR", "aliases": [unused(), alias]})
    assert second.status_code == 409
    assert "Retry-After" not in second.headers
    assert door.ask("GET", "/customers/lookup", alias=alias).json() == {"customer_id": first["id"]}


def test_a_refused_creation_leaves_nothing_behind(door: Door) -> None:
    """Its other aliases are still free."""
    taken, free = unused(), unused()
    door.customer(aliases=[taken])
    assert door.ask("POST", "/customers", {"name": "A", "currency": "USD", "aliases": [free, taken]}).status_code == 409
    assert door.ask("GET", "/customers/lookup", alias=free).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"name": None},
        {"name": ""},
        {"name": " \t"},
        {"name": 7},
        {"currency": None},
        {"currency": "usd"},
        {"currency": "US"},
        {"aliases": "acme"},
        {"aliases": [""]},
        {"aliases": [7]},
        {"aliases": ["x" * 256]},
        {"contacts": None},
        {"contacts": {}},
        {"contacts": ["john@example.com"]},
        {"contacts": [{"is_primary": True}]},
        {"contacts": [{"email": "john@example.com"}]},
        {"contacts": [{"email": "john", "is_primary": True}]},
        {"contacts": [{"email": "john@example.com", "is_primary": "yes"}]},
        {"contacts": [{"email": "john@example.com", "is_primary": True, "email_preferences": "all"}]},
        {"billing_address": "123 Main St"},
        {"billing_address": {"country": "US"}},
        {"billing_address": {"line1": 7}},
    ],
    ids=str,
)
def test_wrong_fields_are_refused_and_named(door: Door, fields: dict[str, Any]) -> None:
    """On creation as on change, by the document as by Alguna."""
    alias = unused()
    customer = door.customer(aliases=[alias])
    created = door.ask("POST", "/customers", {"name": "Acme", "currency": "USD", **fields}, valid=False)
    changed = door.ask("PATCH", f"/customers/{alias}", fields, valid=False)
    for answer in (created, changed):
        assert answer.status_code == 422
        assert next(iter(fields)) in answer.json()["detail"]
    assert door.ask("GET", f"/customers/{alias}").json() == customer


@pytest.mark.parametrize("field", ["name", "currency"])
def test_a_customer_needs_a_name_and_a_currency(door: Door, field: str) -> None:
    """Without one of them there is none."""
    fields = {"name": "Acme", "currency": "USD"}
    del fields[field]
    answer = door.ask("POST", "/customers", fields, valid=False)
    assert (answer.status_code, field in answer.json()["detail"]) == (422, True)


def test_a_change_leaves_what_it_does_not_name(door: Door) -> None:
    """Only what was sent is other than before."""
    before = door.customer(aliases=[unused()], contacts=[{"email": mail(), "is_primary": True}])
    answer = door.ask("PATCH", f"/customers/{before['id']}", {"name": "Acme Corporation"})
    assert answer.status_code == 200
    assert answer.json() == {**before, "name": "Acme Corporation", "updated_at": answer.json()["updated_at"]}
    assert door.ask("GET", f"/customers/{before['id']}").json() == answer.json()


def test_sent_lists_replace_the_whole_list(door: Door) -> None:
    """An alias that was taken away leads nowhere and is free for another."""
    old, new = unused(), unused()
    customer = door.customer(aliases=[old], contacts=[{"email": mail(), "is_primary": True}])
    email = mail()
    change = {"aliases": [new], "contacts": [{"email": email, "is_primary": False}]}
    changed = door.ask("PATCH", f"/customers/{old}", change).json()
    assert changed["aliases"] == [new]
    assert [contact["email"] for contact in changed["contacts"]] == [email]
    assert door.ask("GET", f"/customers/{old}").status_code == 404
    assert door.ask("GET", f"/customers/{new}").json()["id"] == customer["id"]
    assert door.customer(aliases=[old])["id"] != customer["id"]


def test_a_change_cannot_take_anothers_alias(door: Door) -> None:
    """Both keep what they have."""
    taken, own = unused(), unused()
    first, second = door.customer(aliases=[taken]), door.customer(aliases=[own])
    answer = door.ask("PATCH", f"/customers/{own}", {"aliases": [taken], "name": "Thief"})
    assert answer.status_code == 409
    assert door.ask("GET", f"/customers/{taken}").json() == first
    assert door.ask("GET", f"/customers/{own}").json() == second


def test_a_list_is_filtered_by_alias(door: Door) -> None:
    """One customer has it, or nobody."""
    alias = unused()
    customer = door.customer(aliases=[alias])
    assert door.ask("GET", "/customers", alias=alias).json()["data"] == [customer]
    assert door.ask("GET", "/customers", alias=unused()).json()["data"] == []


def test_a_list_is_filtered_by_email(door: Door) -> None:
    """Of any contact; a filter that fits nobody gives an empty list."""
    email = mail()
    contacts = [{"email": mail(), "is_primary": True}, {"email": email, "is_primary": False}]
    found = [door.customer(contacts=contacts) for _ in range(2)]
    door.customer(contacts=[{"email": mail(), "is_primary": True}])
    assert door.ask("GET", "/customers", email=email).json()["data"] == found
    assert door.ask("GET", "/customers", email=mail()).json()["data"] == []


def test_a_list_is_walked_page_by_page(door: Door) -> None:
    """Every customer comes once; the number of pages was right from the start."""
    email = mail()
    made = [
        door.customer(name=f"Acme {number}", contacts=[{"email": email, "is_primary": True}]) for number in range(5)
    ]
    pages = [door.ask("GET", "/customers", email=email, limit=2, offset=offset).json() for offset in (0, 2, 4, 6)]
    assert [len(page["data"]) for page in pages] == [2, 2, 1, 0]
    assert [customer for page in pages for customer in page["data"]] == made
    assert {(page["pagination"]["per_page"], page["pagination"]["total_pages"]) for page in pages} == {(2, 3)}


@pytest.mark.parametrize("path", ["/customers", "/subscriptions"])
@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"limit": "ten"}, {"limit": -1}, {"offset": -1}])
def test_a_page_out_of_bounds_is_refused(door: Door, path: str, query: dict[str, Any]) -> None:
    """A page has at most 100 entries."""
    answer = door.ask("GET", path, valid=False, **query)
    assert (answer.status_code, next(iter(query)) in answer.json()["detail"]) == (422, True)


@pytest.mark.parametrize(("limit", "offset"), [(1, 0), (100, 0), (100, 999_999_999)])
def test_a_page_within_bounds_is_given(door: Door, limit: int, offset: int) -> None:
    """The smallest, the largest, and one beyond the end."""
    answer = door.ask("GET", "/customers", limit=limit, offset=offset)
    assert (answer.status_code, answer.json()["pagination"]["per_page"]) == (200, limit)


def test_nobody_is_not_found(door: Door) -> None:
    """By id, by alias, by lookup or for a change."""
    nobody = unused()
    answers = [
        door.ask("GET", f"/customers/{nobody}"),
        door.ask("GET", "/customers/lookup", alias=nobody),
        door.ask("PATCH", f"/customers/{nobody}", {"name": "New"}),
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404]


def test_a_lookup_needs_an_alias(door: Door) -> None:
    """Without one, or with an empty one, it is refused."""
    assert door.ask("GET", "/customers/lookup", valid=False).status_code == 422
    assert door.ask("GET", "/customers/lookup", valid=False, alias="").status_code == 422
