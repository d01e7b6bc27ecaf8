"""Portal sessions: customer, lifetime and settings; in both APIs."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from tests.contract.conftest import ApiClient, make_unique

pytestmark = pytest.mark.xdist_group("contract")

PATH = "/customer-portal-sessions"
LEGACY_PATH = "/portal/customer-session/customer-portal"
BILLING_SETTINGS = ["show_section", "allow_autopay_edit", "allow_payment_method_edit", "allow_account_edit"]
SECTIONS = {
    "plan_overview_settings": ["show_section", "allow_subscription_cancel", "allow_self_serve_change"],
    "invoice_list_settings": ["show_section"],
    "billing_details_settings": BILLING_SETTINGS,
}
NO_VERSION = {"Alguna-Version": None}


def test_customer_is_found_by_id_or_alias(api: ApiClient) -> None:
    """The id has priority. Null is the same as an absent value."""
    alias = make_unique()
    first, second = api.create_customer(), api.create_customer(aliases=[alias])
    for data, customer in (
        ({"customer_alias": alias}, second),
        ({"customer_id": None, "customer_alias": alias}, second),
        ({"customer_id": first["id"], "customer_alias": None}, first),
        ({"customer_id": first["id"], "customer_alias": alias}, first),
    ):
        response = api.request("POST", PATH, data)
        assert (response.status_code, response.json()["customer_id"]) == (200, customer["id"])


def test_each_session_has_its_own_url_and_lasts_an_hour(api: ApiClient) -> None:
    customer = api.create_customer()
    first, second = (api.request("POST", PATH, {"customer_id": customer["id"]}).json() for _ in range(2))
    assert first["id"] != second["id"]
    assert first["url"] != second["url"]
    lifetime = datetime.fromisoformat(first["expires_at"]) - datetime.fromisoformat(first["created_at"])
    assert lifetime == timedelta(hours=1)


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize(("section", "field"), [(name, field) for name, each in SECTIONS.items() for field in each])
def test_each_setting_is_accepted(api: ApiClient, section: str, field: str, value: bool) -> None:
    customer = api.create_customer()
    response = api.request("POST", PATH, {"customer_id": customer["id"], section: {field: value}})
    assert response.status_code == 200


def test_all_settings_and_empty_sections_are_accepted(api: ApiClient) -> None:
    customer = api.create_customer()
    everything = {name: dict.fromkeys(each, False) for name, each in SECTIONS.items()}
    nothing: dict[str, Any] = {name: {} for name in SECTIONS}
    for settings in (everything, nothing):
        assert api.request("POST", PATH, {"customer_id": customer["id"], **settings}).status_code == 200


@pytest.mark.parametrize(
    "settings",
    [
        {"plan_overview_settings": {"show_section": "yes"}},
        {"plan_overview_settings": {"show_section": 1}},
        {"invoice_list_settings": {"show_section": None}},
        {"invoice_list_settings": None},
        {"invoice_list_settings": []},
        {"invoice_list_settings": {"allow_subscription_cancel": True}},
        {"billing_details_settings": {"allowAutopayEdit": True}},
        {"billingDetailsSettings": {"show_section": True}},
        {"return_url": "https://example.com/"},
    ],
    ids=str,
)
def test_error_names_the_invalid_setting(api: ApiClient, settings: dict[str, Any]) -> None:
    """A typo must not leave the portal open."""
    customer = api.create_customer()
    response = api.request("POST", PATH, {"customer_id": customer["id"], **settings}, valid=False)
    assert (response.status_code, next(iter(settings)) in response.json()["detail"]) == (422, True)


@pytest.mark.parametrize(
    "ident",
    [{}, {"customer_id": None}, {"customer_id": None, "customer_alias": None}, {"customer_alias": ""}],
    ids=str,
)
def test_id_or_alias_is_required(api: ApiClient, ident: dict[str, Any]) -> None:
    assert api.request("POST", PATH, ident, valid=False).status_code == 422


@pytest.mark.parametrize("field", ["customer_id", "customer_alias"])
def test_unknown_customer_returns_404(api: ApiClient, field: str) -> None:
    """An alias isn't accepted as id."""
    alias = make_unique()
    api.create_customer(aliases=[alias])
    wanted = alias if field == "customer_id" else make_unique()
    assert api.request("POST", PATH, {field: wanted}).status_code == 404


def test_subscriptions_are_filtered_by_customer_and_status(api: ApiClient) -> None:
    customer = api.create_customer()
    api.create_customer()
    subscriptions = api.request("GET", "/subscriptions", customer_id=customer["id"]).json()["data"]
    assert {subscription["customer_id"] for subscription in subscriptions} == {customer["id"]}
    assert {subscription["status"] for subscription in subscriptions} == {"active"}
    active = api.request("GET", "/subscriptions", customer_id=customer["id"], status="active").json()["data"]
    canceled = api.request("GET", "/subscriptions", customer_id=customer["id"], status="canceled").json()["data"]
    assert (active, canceled) == (subscriptions, [])


def test_legacy_api_returns_only_a_url(api: ApiClient) -> None:
    alias = make_unique()
    customer = api.create_customer(aliases=[alias])
    sections: dict[str, Any] = {
        "planOverviewSettings": {"showSection": True, "allowSubscriptionCancel": False},
        "invoiceListSettings": {"showSection": True},
        "billingDetailsSettings": {"showSection": False},
    }
    for ident in ({"accountAlias": alias}, {"accountId": customer["id"]}):
        response = api.request("POST", LEGACY_PATH, {**ident, **sections}, headers=NO_VERSION)
        assert (response.status_code, list(response.json())) == (200, ["sessionUrl"])


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"accountAlias": ""},
        {"accountAlias": "acme", "planOverviewSettings": {"showSection": "yes"}},
        {"accountAlias": "acme", "planOverviewSettings": {"show_section": True}},
        {"accountAlias": "acme", "invoiceListSettings": {"allowSubscriptionCancel": True}},
        {"accountAlias": "acme", "plan_overview_settings": {}},
        {"customer_alias": "acme"},
    ],
    ids=str,
)
def test_legacy_api_rejects_unknown_fields(api: ApiClient, data: dict[str, Any]) -> None:
    """This includes fields of the current API."""
    response = api.request("POST", LEGACY_PATH, data, headers=NO_VERSION, valid=False)
    assert response.status_code in {400, 422}


@pytest.mark.parametrize("field", ["accountAlias", "accountId"])
def test_legacy_api_returns_404_for_unknown_customers(api: ApiClient, field: str) -> None:
    assert api.request("POST", LEGACY_PATH, {field: make_unique()}, headers=NO_VERSION).status_code == 404


@pytest.mark.parametrize("legacy", [False, True])
def test_portal_follows_the_settings(served_api: ApiClient, legacy: bool) -> None:
    name = make_unique("Company")
    customer = served_api.create_customer(name=name)
    if legacy:
        hidden: dict[str, Any] = {"accountId": customer["id"], "invoiceListSettings": {"showSection": False}}
        session = served_api.request("POST", LEGACY_PATH, hidden, headers=NO_VERSION).json()
    else:
        hidden = {"customer_id": customer["id"], "invoice_list_settings": {"show_section": False}}
        session = served_api.request("POST", PATH, hidden).json()
    page = requests.get(session["sessionUrl" if legacy else "url"], timeout=20)
    assert page.status_code == 200
    assert name in page.text
    assert "Starter" in page.text
    assert "INV-" not in page.text
