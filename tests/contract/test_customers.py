"""Customers: creation, lookup, lists with pages, and changes."""

from typing import Any

import pytest

from tests.contract.conftest import ApiClient, make_email, make_unique

pytestmark = pytest.mark.xdist_group("contract")

ADDRESS = {
    "line1": "123 Main St",
    "line2": "Suite 100",
    "city": "San Francisco",
    "state": "CA",
    "postal_code": "94105",
    "country": "USA",
}


def test_response_has_the_fields_that_were_sent(api: ApiClient) -> None:
    alias, email = make_unique(), make_email()
    names = {"first_name": "John", "last_name": "Doe"}
    contact = {"email": email, "is_primary": True, "email_preferences": ["invoices"], **names}
    customer = api.create_customer(aliases=[alias], contacts=[contact], billing_address=ADDRESS)
    assert customer["id"]
    assert (customer["name"], customer["currency"], customer["aliases"]) == ("Acme Corp", "USD", [alias])
    assert customer["billing_address"] == ADDRESS
    [created] = customer["contacts"]
    assert created.pop("id")
    assert created == contact


@pytest.mark.parametrize("aliases", [{}, {"aliases": None}, {"aliases": []}])
def test_alias_is_optional(api: ApiClient, aliases: dict[str, Any]) -> None:
    assert api.create_customer(**aliases)["aliases"] == []


def test_customer_is_read_by_id_and_by_alias(api: ApiClient) -> None:
    """The alias has characters that must be quoted in a path."""
    alias = make_unique("Müller & Söhne/50%")
    customer = api.create_customer(aliases=[alias])
    quoted = alias.replace("%", "%25").replace("/", "%2F").replace(" ", "%20").replace("&", "%26")
    for ident in (customer["id"], quoted):
        response = api.request("GET", f"/customers/{ident}")
        assert (response.status_code, response.json()) == (200, customer)


def test_alias_is_looked_up(api: ApiClient) -> None:
    alias = make_unique()
    customer = api.create_customer(aliases=[make_unique(), alias])
    response = api.request("GET", "/customers/lookup", alias=alias)
    assert (response.status_code, response.json()) == (200, {"customer_id": customer["id"]})


def test_existing_alias_returns_409_and_can_be_looked_up(api: ApiClient) -> None:
    """The error has no Retry-After, and the other alias remains free."""
    alias, free = make_unique(), make_unique()
    first = api.create_customer(aliases=[alias])
    second = api.request("POST", "/customers", {"name": "Acme again", "currency": "EUR", "aliases": [free, alias]})
    assert second.status_code == 409
    assert "Retry-After" not in second.headers
    assert api.request("GET", "/customers/lookup", alias=alias).json() == {"customer_id": first["id"]}
    assert api.request("GET", "/customers/lookup", alias=free).status_code == 404


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
def test_error_names_the_invalid_field(api: ApiClient, fields: dict[str, Any]) -> None:
    alias = make_unique()
    customer = api.create_customer(aliases=[alias])
    created = api.request("POST", "/customers", {"name": "Acme", "currency": "USD", **fields}, valid=False)
    changed = api.request("PATCH", f"/customers/{alias}", fields, valid=False)
    for response in (created, changed):
        assert response.status_code == 422
        assert next(iter(fields)) in response.json()["detail"]
    assert api.request("GET", f"/customers/{alias}").json() == customer


@pytest.mark.parametrize("field", ["name", "currency"])
def test_name_and_currency_are_required(api: ApiClient, field: str) -> None:
    data = {"name": "Acme"} if field == "currency" else {"currency": "USD"}
    response = api.request("POST", "/customers", data, valid=False)
    assert (response.status_code, field in response.json()["detail"]) == (422, True)


def test_update_changes_only_fields_that_were_sent(api: ApiClient) -> None:
    before = api.create_customer(aliases=[make_unique()], contacts=[{"email": make_email(), "is_primary": True}])
    response = api.request("PATCH", f"/customers/{before['id']}", {"name": "Acme Corporation"})
    assert response.status_code == 200
    assert response.json() == {**before, "name": "Acme Corporation", "updated_at": response.json()["updated_at"]}
    assert api.request("GET", f"/customers/{before['id']}").json() == response.json()


def test_update_replaces_lists(api: ApiClient) -> None:
    """Removed aliases can be used again."""
    old, new = make_unique(), make_unique()
    customer = api.create_customer(aliases=[old], contacts=[{"email": make_email(), "is_primary": True}])
    email = make_email()
    change = {"aliases": [new], "contacts": [{"email": email, "is_primary": False}]}
    changed = api.request("PATCH", f"/customers/{old}", change).json()
    assert changed["aliases"] == [new]
    assert [contact["email"] for contact in changed["contacts"]] == [email]
    assert api.request("GET", f"/customers/{old}").status_code == 404
    assert api.request("GET", f"/customers/{new}").json()["id"] == customer["id"]
    assert api.create_customer(aliases=[old])["id"] != customer["id"]


def test_update_rejects_the_alias_of_another_customer(api: ApiClient) -> None:
    taken, own = make_unique(), make_unique()
    first, second = api.create_customer(aliases=[taken]), api.create_customer(aliases=[own])
    response = api.request("PATCH", f"/customers/{own}", {"aliases": [taken], "name": "New"})
    assert response.status_code == 409
    assert api.request("GET", f"/customers/{taken}").json() == first
    assert api.request("GET", f"/customers/{own}").json() == second


def test_list_is_filtered_by_alias_or_by_email_of_any_contact(api: ApiClient) -> None:
    alias, email = make_unique(), make_email()
    contacts = [{"email": make_email(), "is_primary": True}, {"email": email, "is_primary": False}]
    found = [api.create_customer(aliases=[alias], contacts=contacts), api.create_customer(contacts=contacts)]
    api.create_customer(contacts=[{"email": make_email(), "is_primary": True}])
    assert api.request("GET", "/customers", alias=alias).json()["data"] == found[:1]
    assert api.request("GET", "/customers", email=email).json()["data"] == found
    assert api.request("GET", "/customers", alias=make_unique()).json()["data"] == []
    assert api.request("GET", "/customers", email=make_email()).json()["data"] == []


def test_pages_contain_each_customer_once(api: ApiClient) -> None:
    email = make_email()
    contacts = [{"email": email, "is_primary": True}]
    created = [api.create_customer(name=f"Acme {number}", contacts=contacts) for number in range(5)]
    pages = [api.request("GET", "/customers", email=email, limit=2, offset=offset).json() for offset in (0, 2, 4, 6)]
    assert [len(page["data"]) for page in pages] == [2, 2, 1, 0]
    assert [customer for page in pages for customer in page["data"]] == created
    assert {(page["pagination"]["per_page"], page["pagination"]["total_pages"]) for page in pages} == {(2, 3)}


@pytest.mark.parametrize("path", ["/customers", "/subscriptions"])
@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"limit": "ten"}, {"limit": -1}, {"offset": -1}])
def test_limit_and_offset_out_of_range_return_422(api: ApiClient, path: str, query: dict[str, Any]) -> None:
    response = api.request("GET", path, valid=False, **query)
    assert (response.status_code, next(iter(query)) in response.json()["detail"]) == (422, True)


@pytest.mark.parametrize(("limit", "offset"), [(1, 0), (100, 0), (100, 999_999_999)])
def test_limit_and_offset_in_range_are_accepted(api: ApiClient, limit: int, offset: int) -> None:
    response = api.request("GET", "/customers", limit=limit, offset=offset)
    assert (response.status_code, response.json()["pagination"]["per_page"]) == (200, limit)


def test_unknown_customer_returns_404(api: ApiClient) -> None:
    unknown = make_unique()
    responses = [
        api.request("GET", f"/customers/{unknown}"),
        api.request("GET", "/customers/lookup", alias=unknown),
        api.request("PATCH", f"/customers/{unknown}", {"name": "New"}),
    ]
    assert [response.status_code for response in responses] == [404, 404, 404]


def test_lookup_requires_an_alias(api: ApiClient) -> None:
    assert api.request("GET", "/customers/lookup", valid=False).status_code == 422
    assert api.request("GET", "/customers/lookup", valid=False, alias="").status_code == 422
