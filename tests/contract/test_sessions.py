"""Portal sessions, at both doors: for whom, for how long, with which settings; and by the earlier API."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from tests.contract.conftest import Door, unused

pytestmark = pytest.mark.xdist_group("contract")

PATH = "/customer-portal-sessions"
LEGACY_PATH = "/portal/customer-session/customer-portal"
SECTIONS = {
    "plan_overview_settings": ["show_section", "allow_subscription_cancel", "allow_self_serve_change"],
    "invoice_list_settings": ["show_section"],
    "billing_details_settings": [
        "show_section",
        "allow_autopay_edit",
        "allow_payment_method_edit",
        "allow_account_edit",
    ],
}


def test_a_session_is_for_the_customer_with_the_alias(door: Door) -> None:
    """The answer names the customer by id."""
    alias = unused()
    customer = door.customer(aliases=[alias])
    answer = door.ask("POST", PATH, {"customer_alias": alias})
    assert (answer.status_code, answer.json()["customer_id"]) == (200, customer["id"])


def test_a_session_is_for_the_customer_with_the_id(door: Door) -> None:
    """An alias that is null stands for none."""
    customer = door.customer()
    answer = door.ask("POST", PATH, {"customer_id": customer["id"], "customer_alias": None})
    assert (answer.status_code, answer.json()["customer_id"]) == (200, customer["id"])


def test_the_id_wins_over_the_alias(door: Door) -> None:
    """The alias is used only where the id is absent, or null."""
    alias = unused()
    first, second = door.customer(), door.customer(aliases=[alias])
    both = door.ask("POST", PATH, {"customer_id": first["id"], "customer_alias": alias})
    null = door.ask("POST", PATH, {"customer_id": None, "customer_alias": alias})
    assert both.json()["customer_id"] == first["id"]
    assert null.json()["customer_id"] == second["id"]


def test_a_session_expires_within_the_hour(door: Door) -> None:
    """Both times are Alguna's; the life is the example's."""
    customer = door.customer()
    session = door.ask("POST", PATH, {"customer_id": customer["id"]}).json()
    life = datetime.fromisoformat(session["expires_at"]) - datetime.fromisoformat(session["created_at"])
    assert life == timedelta(hours=1)


def test_each_session_has_a_url_of_its_own(door: Door) -> None:
    """Nothing is reused without an idempotency key."""
    customer = door.customer()
    first, second = (door.ask("POST", PATH, {"customer_id": customer["id"]}).json() for _ in range(2))
    assert first["id"] != second["id"]
    assert first["url"] != second["url"]


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize(("section", "field"), [(name, field) for name, each in SECTIONS.items() for field in each])
def test_every_setting_is_accepted(door: Door, section: str, field: str, value: bool) -> None:
    """One by one, both ways."""
    customer = door.customer()
    answer = door.ask("POST", PATH, {"customer_id": customer["id"], section: {field: value}})
    assert answer.status_code == 200


def test_all_settings_are_accepted_together(door: Door) -> None:
    """And so are empty sections."""
    customer = door.customer()
    everything = {name: dict.fromkeys(each, False) for name, each in SECTIONS.items()}
    nothing: dict[str, Any] = {name: {} for name in SECTIONS}
    for settings in (everything, nothing):
        assert door.ask("POST", PATH, {"customer_id": customer["id"], **settings}).status_code == 200


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
def test_wrong_settings_are_refused_and_named(door: Door, settings: dict[str, Any]) -> None:
    """A typo must not open more than was meant."""
    customer = door.customer()
    answer = door.ask("POST", PATH, {"customer_id": customer["id"], **settings}, valid=False)
    assert (answer.status_code, next(iter(settings)) in answer.json()["detail"]) == (422, True)


@pytest.mark.parametrize(
    "ident",
    [{}, {"customer_id": None}, {"customer_id": None, "customer_alias": None}, {"customer_alias": ""}],
    ids=str,
)
def test_a_session_for_nobody_is_refused(door: Door, ident: dict[str, Any]) -> None:
    """An id or an alias is required."""
    assert door.ask("POST", PATH, ident, valid=False).status_code == 422


@pytest.mark.parametrize("field", ["customer_id", "customer_alias"])
def test_a_session_for_an_unknown_customer_is_not_found(door: Door, field: str) -> None:
    """An alias is no id."""
    alias = unused()
    door.customer(aliases=[alias])
    wanted = alias if field == "customer_id" else unused()
    assert door.ask("POST", PATH, {field: wanted}).status_code == 404


def test_the_subscriptions_of_a_customer_are_listed(door: Door) -> None:
    """Theirs alone, by status."""
    customer = door.customer()
    door.customer()
    every = door.ask("GET", "/subscriptions", customer_id=customer["id"]).json()["data"]
    assert {subscription["customer_id"] for subscription in every} == {customer["id"]}
    assert {subscription["status"] for subscription in every} == {"active"}
    active = door.ask("GET", "/subscriptions", customer_id=customer["id"], status="active").json()["data"]
    canceled = door.ask("GET", "/subscriptions", customer_id=customer["id"], status="canceled").json()["data"]
    assert (active, canceled) == (every, [])


def test_the_earlier_api_gives_a_url_and_no_more(door: Door) -> None:
    """Without a version header, by account alias or account id."""
    alias = unused()
    customer = door.customer(aliases=[alias])
    sections: dict[str, Any] = {
        "planOverviewSettings": {"showSection": True, "allowSubscriptionCancel": False},
        "invoiceListSettings": {"showSection": True},
        "billingDetailsSettings": {"showSection": False},
    }
    for ident in ({"accountAlias": alias}, {"accountId": customer["id"]}):
        answer = door.ask("POST", LEGACY_PATH, {**ident, **sections}, headers={"Alguna-Version": None})
        assert (answer.status_code, list(answer.json())) == (200, ["sessionUrl"])


@pytest.mark.parametrize(
    "wrong",
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
def test_the_earlier_api_refuses_what_it_does_not_know(door: Door, wrong: dict[str, Any]) -> None:
    """The dated API's names among it."""
    answer = door.ask("POST", LEGACY_PATH, wrong, headers={"Alguna-Version": None}, valid=False)
    assert answer.status_code in {400, 422}


def test_the_earlier_api_does_not_find_nobody(door: Door) -> None:
    """Neither by alias nor by id."""
    for field in ("accountAlias", "accountId"):
        answer = door.ask("POST", LEGACY_PATH, {field: unused()}, headers={"Alguna-Version": None})
        assert answer.status_code == 404


@pytest.mark.parametrize("legacy", [False, True])
def test_the_url_opens_the_portal_that_the_settings_describe(served: Door, legacy: bool) -> None:
    """At the served sandbox: the invoices are there, the hidden section is not."""
    name = unused("Company")
    customer = served.customer(name=name)
    if legacy:
        hidden: dict[str, Any] = {"accountId": customer["id"], "invoiceListSettings": {"showSection": False}}
        url = served.ask("POST", LEGACY_PATH, hidden, headers={"Alguna-Version": None}).json()["sessionUrl"]
    else:
        hidden = {"customer_id": customer["id"], "invoice_list_settings": {"show_section": False}}
        url = served.ask("POST", PATH, hidden).json()["url"]
    page = requests.get(url, timeout=20)
    assert page.status_code == 200
    assert name in page.text
    assert "Starter" in page.text
    assert "INV-" not in page.text
