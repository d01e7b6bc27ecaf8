"""What can be edited in the hosted portal: card, company, plan."""

import json
from typing import Any

import pytest

from alguna_portal.sandbox.engine.portal_forms import TEST_CARDS, parse_card
from alguna_portal.sandbox.engine.types import InvalidForm
from alguna_portal.sandbox.models import Record
from tests.sandbox.conftest import CARD, COMPANY, START, Door, link, text


def error_at(response: Any, field: str, said: str) -> bool:
    """Tell whether an error stands at a field and is tied to it."""
    page = response.content.decode()
    tied = f'aria-invalid="true" aria-describedby="{field}-error' in page.partition(f'<input id="{field}"')[2]
    return tied and said in page.partition(f'id="{field}-error">')[2].partition("</p>")[0]


def test_a_card_replaces_the_one_on_file(door: Door) -> None:
    """Of its number, four digits are kept."""
    path = door.portal(door.customer())
    form = door.client.get(link(door.client.get(path), "/payment-method"))
    assert "The new card replaces the Visa ending in 4242." in text(form)
    after = door.client.post(f"{path}/payment-method", CARD, follow=True)
    assert "Your payment method has been updated." in text(after)
    assert "Mastercard ending in 4444 Expires 01/2099" in text(after)
    assert "ending in 4242" not in text(after)
    assert "555555" not in json.dumps(list(Record.objects.values_list("data", flat=True)))


@pytest.mark.parametrize("number", TEST_CARDS)
def test_every_number_that_the_page_names_is_taken(number: str) -> None:
    """As it is written there."""
    card = parse_card({"number": number, "expires": "04/26"}, now=START)
    assert (card["brand"], card["last4"], card["expires"]) == (TEST_CARDS[number], number[-4:], "04/2026")


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        ({}, {"number", "expires"}),
        ({"number": "4111111111111111", "expires": "04/26"}, {"number"}),
        ({"number": "4242424242424242", "expires": "03/26"}, {"expires"}),
        ({"number": "4242424242424242", "expires": "13/29"}, {"expires"}),
        ({"number": "4242424242424242", "expires": "0429"}, {"expires"}),
        ({"number": "", "expires": "12/25"}, {"number", "expires"}),
    ],
)
def test_what_is_wrong_with_a_card_is_said_at_its_field(form: dict[str, str], wrong: set[str]) -> None:
    """All of it at once, real numbers included."""
    with pytest.raises(InvalidForm) as refused:
        parse_card(form, now=START)
    assert set(refused.value.errors) == wrong


def test_a_number_that_is_refused_is_not_shown_again(door: Door) -> None:
    """It may be a real one; the rest of the form stays."""
    path = door.portal(door.customer())
    refused = door.client.post(f"{path}/payment-method", {"number": "4111 1111 1111 1111", "expires": "08/99"})
    assert refused.status_code == 422
    assert "<title>Error: Update payment method" in refused.content.decode()
    assert error_at(refused, "number", "Enter one of the test numbers")
    assert "4111" not in refused.content.decode()
    assert 'value="08/99"' in refused.content.decode()
    assert "ending in 4242" in text(door.client.get(path))


def test_company_details_are_saved(door: Door) -> None:
    """The portal and the API show them; other contacts stay."""
    contacts = [{"email": "two@acme.test", "is_primary": False}, {"email": "one@acme.test", "is_primary": True}]
    customer = door.customer(contacts=contacts, billing_address={"line1": "Old", "city": "Bern"})
    path = door.portal(customer)
    form = door.client.get(link(door.client.get(path), "/account"))
    for value in ("Acme Inc", "one@acme.test", "Old", "Bern"):
        assert f'value="{value}"' in form.content.decode()
    sent = {**COMPANY, "line1": " 1 Main\0 St ", "postal_code": "3000", "country": "che"}
    after = door.client.post(f"{path}/account", sent, follow=True)
    assert "Your company details have been saved." in text(after)
    assert "New Name 1 Main St 3000 CHE two@acme.test new@acme.test" in text(after)
    read = json.loads(door.ask("GET", f"/customers/{customer['id']}").content)
    assert read["billing_address"] == {"line1": "1 Main St", "postal_code": "3000", "country": "CHE"}
    assert [contact["id"] for contact in read["contacts"]] == [contact["id"] for contact in customer["contacts"]]


def test_a_company_without_contacts_gets_its_first(door: Door) -> None:
    """The form starts empty there; without a primary contact it is the first."""
    path = door.portal(door.customer())
    assert 'name="email" type="email" inputmode="email" value=""' in door.client.get(f"{path}/account").content.decode()
    assert "new@acme.test" in text(door.client.post(f"{path}/account", COMPANY, follow=True))
    path = door.portal(door.customer(contacts=[{"email": "only@acme.test", "is_primary": False}]))
    assert "only@acme.test" in door.client.get(f"{path}/account").content.decode()


def test_what_is_wrong_with_a_company_is_said_at_its_fields(door: Door) -> None:
    """Nothing is saved, and nothing that was written is lost."""
    path = door.portal(door.customer())
    sent = {"name": " ", "email": "acme", "city": "x" * 256, "country": "Germany", "line1": "Kept"}
    refused = door.client.post(f"{path}/account", sent)
    assert refused.status_code == 422
    assert error_at(refused, "name", "Enter the company&#x27;s name.")
    assert error_at(refused, "email", "Enter an e-mail address")
    assert error_at(refused, "city", "Enter at most 255 characters.")
    assert error_at(refused, "country", "three letters")
    assert 'value="Kept"' in refused.content.decode()
    assert "<h1>Acme Inc</h1>" in door.client.get(path).content.decode()


def test_a_plan_is_chosen_confirmed_and_changed(door: Door) -> None:
    """The price and the API's plan follow; pressing twice does it once."""
    path = door.portal(door.customer(currency="EUR"))
    choice = door.client.get(link(door.client.get(path), "/plan"))
    assert "Now: Starter , €49.00 a month. Growth €149.00 a month Choose Growth Enterprise" in text(choice)
    address = choice.request["PATH_INFO"]
    question = door.client.get(f"{address}?plan=plan_growth")
    assert "Change to Growth?" in text(question)
    assert ">Yes, change to Growth</button>" in question.content.decode()
    for _ in "twice":
        after = door.client.post(address, {"plan": "plan_growth"}, follow=True)
        assert "Your plan has been changed." in text(after)
    assert "Growth Active Estimated next charge €149.00" in text(after)
    (subscription,) = json.loads(door.ask("GET", "/subscriptions").content)["data"]
    assert (subscription["name"], subscription["plan_id"]) == ("Growth", "plan_growth")


@pytest.mark.parametrize("plan", ["plan_free", ""])
def test_a_plan_that_is_not_offered_is_not_found(door: Door, plan: str) -> None:
    """Asked for or ordered."""
    path = door.portal(door.customer())
    address = link(door.client.get(path), "/plan")
    assert door.client.get(f"{address}?plan={plan}").status_code == 404
    assert door.client.post(address, {"plan": plan}).status_code == 404


def test_a_canceled_subscription_changes_no_more(door: Door) -> None:
    """The link is gone, and an old tab is led back or refused."""
    path = door.portal(door.customer())
    page = door.client.get(path)
    door.client.post(link(page, "/cancel"))
    assert "Change plan" not in text(door.client.get(path))
    assert door.client.get(link(page, "/plan"))["Location"] == path
    assert door.client.post(link(page, "/plan"), {"plan": "plan_growth"}).status_code == 403


@pytest.mark.parametrize(
    ("section", "power", "words"),
    [
        ("plan_overview_settings", "allow_self_serve_change", "Change plan"),
        ("billing_details_settings", "allow_payment_method_edit", "Update payment method"),
        ("billing_details_settings", "allow_account_edit", "Edit company details"),
    ],
)
def test_each_power_stands_for_itself(door: Door, section: str, power: str, words: str) -> None:
    """One forbidden, the others stay; and where it is allowed, it is there."""
    customer = door.customer()
    page = text(door.client.get(door.portal(customer, **{section: {power: False}})))
    every = {"Change plan", "Update payment method", "Edit company details", "Cancel subscription"}
    assert {name for name in every if name in page} == every - {words}
    assert words in text(door.client.get(door.portal(customer, **{section: {power: True}})))
