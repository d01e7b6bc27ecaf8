"""Forms of the hosted portal: card, company details and change of plan."""

import json
from typing import Any

import pytest

from alguna_portal.sandbox.engine.portal_forms import TEST_CARDS, parse_card
from alguna_portal.sandbox.engine.types import InvalidForm
from alguna_portal.sandbox.models import Record
from tests.sandbox.conftest import CARD, COMPANY, START, SandboxClient, find_link, get_text


def has_error(response: Any, field: str, text: str) -> bool:
    """Return whether a field has an error with a text, connected by aria-describedby."""
    page = response.content.decode()
    tied = f'aria-invalid="true" aria-describedby="{field}-error' in page.partition(f'<input id="{field}"')[2]
    return tied and text in page.partition(f'id="{field}-error">')[2].partition("</p>")[0]


def test_card_is_replaced(sandbox: SandboxClient) -> None:
    """Only four digits of its number are stored."""
    path = sandbox.create_portal()
    form = sandbox.client.get(find_link(sandbox.client.get(path), "/payment-method"))
    assert "The new card replaces the Visa ending in 4242." in get_text(form)
    after = sandbox.client.post(f"{path}/payment-method", CARD, follow=True)
    assert "Your payment method has been updated." in get_text(after)
    assert "Mastercard ending in 4444 Expires 01/2099" in get_text(after)
    assert "ending in 4242" not in get_text(after)
    assert "555555" not in json.dumps(list(Record.objects.values_list("data", flat=True)))


@pytest.mark.parametrize("number", TEST_CARDS)
def test_all_test_cards_are_valid(number: str) -> None:
    card = parse_card({"number": number, "expires": "04/26"}, now=START)
    assert (card["brand"], card["last4"], card["expires"]) == (TEST_CARDS[number], number[-4:], "04/2026")


@pytest.mark.parametrize(
    ("form", "invalid"),
    [
        ({}, {"number", "expires"}),
        ({"number": "4111111111111111", "expires": "04/26"}, {"number"}),
        ({"number": "4242424242424242", "expires": "03/26"}, {"expires"}),
        ({"number": "4242424242424242", "expires": "13/29"}, {"expires"}),
        ({"number": "4242424242424242", "expires": "0429"}, {"expires"}),
        ({"number": "", "expires": "12/25"}, {"number", "expires"}),
    ],
)
def test_card_is_validated(form: dict[str, str], invalid: set[str]) -> None:
    with pytest.raises(InvalidForm) as response:
        parse_card(form, now=START)
    assert set(response.value.errors) == invalid


def test_invalid_card_number_is_not_shown_again(sandbox: SandboxClient) -> None:
    """The other values are."""
    path = sandbox.create_portal()
    response = sandbox.client.post(f"{path}/payment-method", {"number": "4111 1111 1111 1111", "expires": "08/99"})
    assert response.status_code == 422
    assert "<title>Error: Update payment method" in response.content.decode()
    assert has_error(response, "number", "Enter one of the test numbers")
    assert "4111" not in response.content.decode()
    assert 'value="08/99"' in response.content.decode()
    assert "ending in 4242" in get_text(sandbox.client.get(path))


def test_company_details_are_saved(sandbox: SandboxClient) -> None:
    """Other contacts remain."""
    contacts = [{"email": "two@acme.test", "is_primary": False}, {"email": "one@acme.test", "is_primary": True}]
    customer = sandbox.create_customer(contacts=contacts, billing_address={"line1": "Old", "city": "Bern"})
    path = sandbox.create_portal(customer)
    form = sandbox.client.get(find_link(sandbox.client.get(path), "/account"))
    for value in ("Acme Inc", "one@acme.test", "Old", "Bern"):
        assert f'value="{value}"' in form.content.decode()
    sent = {**COMPANY, "line1": " 1 Main\0 St ", "postal_code": "3000", "country": "che"}
    after = sandbox.client.post(f"{path}/account", sent, follow=True)
    assert "Your company details have been saved." in get_text(after)
    assert "New Name 1 Main St 3000 CHE two@acme.test new@acme.test" in get_text(after)
    read = json.loads(sandbox.request("GET", f"/customers/{customer['id']}").content)
    assert read["billing_address"] == {"line1": "1 Main St", "postal_code": "3000", "country": "CHE"}
    assert [contact["id"] for contact in read["contacts"]] == [contact["id"] for contact in customer["contacts"]]


def test_first_contact_is_created_or_edited_without_a_primary_one(sandbox: SandboxClient) -> None:
    path = sandbox.create_portal()
    assert (
        'name="email" type="email" inputmode="email" value=""' in sandbox.client.get(f"{path}/account").content.decode()
    )
    assert "new@acme.test" in get_text(sandbox.client.post(f"{path}/account", COMPANY, follow=True))
    path = sandbox.create_portal(sandbox.create_customer(contacts=[{"email": "only@acme.test", "is_primary": False}]))
    assert "only@acme.test" in sandbox.client.get(f"{path}/account").content.decode()


def test_company_details_are_validated_and_not_lost(sandbox: SandboxClient) -> None:
    path = sandbox.create_portal()
    sent = {"name": " ", "email": "acme", "city": "x" * 256, "country": "Germany", "line1": "Kept"}
    response = sandbox.client.post(f"{path}/account", sent)
    assert response.status_code == 422
    assert has_error(response, "name", "Enter the company&#x27;s name.")
    assert has_error(response, "email", "Enter an e-mail address")
    assert has_error(response, "city", "Enter at most 255 characters.")
    assert has_error(response, "country", "three letters")
    assert 'value="Kept"' in response.content.decode()
    assert "<h1>Acme Inc</h1>" in sandbox.client.get(path).content.decode()


def test_plan_is_chosen_confirmed_and_changed(sandbox: SandboxClient) -> None:
    """Submitting twice changes it once."""
    path = sandbox.create_portal(sandbox.create_customer(currency="EUR"))
    choice = sandbox.client.get(find_link(sandbox.client.get(path), "/plan"))
    assert "Now: Starter , €49.00 a month. Growth €149.00 a month Choose Growth Enterprise" in get_text(choice)
    address = choice.request["PATH_INFO"]
    question = sandbox.client.get(f"{address}?plan=plan_growth")
    assert "Change to Growth?" in get_text(question)
    assert ">Yes, change to Growth</button>" in question.content.decode()
    for _ in "twice":
        after = sandbox.client.post(address, {"plan": "plan_growth"}, follow=True)
        assert "Your plan has been changed." in get_text(after)
    assert "Growth Active Estimated next charge €149.00" in get_text(after)
    (subscription,) = sandbox.get_data("/subscriptions")
    assert (subscription["name"], subscription["plan_id"]) == ("Growth", "plan_growth")


@pytest.mark.parametrize("plan", ["plan_free", ""])
def test_unknown_plan_returns_404(sandbox: SandboxClient, plan: str) -> None:
    path = sandbox.create_portal()
    address = find_link(sandbox.client.get(path), "/plan")
    assert sandbox.client.get(f"{address}?plan={plan}").status_code == 404
    assert sandbox.client.post(address, {"plan": plan}).status_code == 404


def test_plan_of_a_cancelled_subscription_cannot_be_changed(sandbox: SandboxClient) -> None:
    path = sandbox.create_portal()
    page = sandbox.client.get(path)
    sandbox.client.post(find_link(page, "/cancel"))
    assert "Change plan" not in get_text(sandbox.client.get(path))
    assert sandbox.client.get(find_link(page, "/plan"))["Location"] == path
    assert sandbox.client.post(find_link(page, "/plan"), {"plan": "plan_growth"}).status_code == 403


@pytest.mark.parametrize(
    ("section", "permission", "label"),
    [
        ("plan_overview_settings", "allow_self_serve_change", "Change plan"),
        ("billing_details_settings", "allow_payment_method_edit", "Update payment method"),
        ("billing_details_settings", "allow_account_edit", "Edit company details"),
    ],
)
def test_each_permission_has_its_own_button(sandbox: SandboxClient, section: str, permission: str, label: str) -> None:
    customer = sandbox.create_customer()
    page = get_text(sandbox.client.get(sandbox.create_portal(customer, **{section: {permission: False}})))
    every = {"Change plan", "Update payment method", "Edit company details", "Cancel subscription"}
    assert {name for name in every if name in page} == every - {label}
    assert label in get_text(sandbox.client.get(sandbox.create_portal(customer, **{section: {permission: True}})))
