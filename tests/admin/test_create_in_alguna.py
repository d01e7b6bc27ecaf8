"""“Create in Alguna” in the admin: what is asked first, who is created, and who may."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from alguna_portal.admin import create_in_alguna
from alguna_portal.models import Customer
from alguna_portal.testing import FakeAlguna
from tests.admin.test_customer import LIST, change, text

QUESTION = "Yes, create"


@pytest.fixture(autouse=True)
def fake(fresh_alguna: FakeAlguna) -> FakeAlguna:
    """Alguna, which knows nobody yet."""
    return fresh_alguna


@pytest.fixture
def shop(db: None) -> Customer:
    """A customer that Alguna would take."""
    return Customer.objects.create(alias="shop-9", name="Shop", currency="EUR", email="bills@shop.example")


@pytest.fixture
def known(db: None) -> Customer:
    """A customer that Alguna has."""
    return Customer.objects.create(alias="known-1", name="Known", currency="EUR", customer_id="cust_known")


def page(customer: Customer) -> str:
    """The address of the page that asks about one customer."""
    return reverse("admin:alguna_portal_customer_create_in_alguna", args=[customer.pk])


def act(client: Client, *customers: Customer, **more: Any) -> Any:
    """Choose the action for some customers in the list."""
    fields = {"action": "create_in_alguna", "_selected_action": [customer.pk for customer in customers]}
    return client.post(LIST, {**fields, "index": 0, "select_across": 0, **more})


def confirm(client: Client, asked: Any) -> Any:
    """Press the button of the page that asks, with the fields that it has; follow to the list."""
    fields: dict[str, list[str]] = {}
    for name, value in asked.context["fields"]:
        assert f'<input type="hidden" name="{name}" value="{value}">' in text(asked)
        fields.setdefault(name, []).append(value)
    return client.post(asked.request["PATH_INFO"], {**fields, "confirmed": "Yes"}, follow=True)


def messages(response: Any) -> list[tuple[str, str]]:
    """What the next page tells, and how."""
    return [(message.level_tag, str(message)) for message in response.context["messages"]]


def test_the_confirmation_page_lists_customers_with_reasons_and_creates_none(
    admin_client: Client, fake: FakeAlguna, shop: Customer, known: Customer, acme: Customer
) -> None:
    Customer.objects.filter(pk=acme.pk).update(currency="ZZZ", email="oops@")
    asked = act(admin_client, shop, known, acme)
    shown = text(asked)
    assert [each.name for each in asked.context["ready"]] == ["Shop"]
    assert [(each.name, each.reasons) for each in asked.context["wrong"]] == [
        (
            "Acme",
            [
                "Billing e-mail: Enter a valid email address.",
                "Currency: A currency is a code of three capital letters from ISO 4217: USD, EUR.",
            ],
        )
    ]
    assert [each.name for each in asked.context["known"]] == ["Known"]
    for customer in (shop, known, acme):
        assert f'<a href="{change(customer)}">{customer.name}</a>' in shown
    for heading in ("1 customer to create", "1 customer that Alguna would not accept", "1 customer known already"):
        assert f"<h2>{heading}</h2>" in shown
    assert "<li>Billing e-mail: Enter a valid email address.</li>" in shown
    breadcrumbs = shown.split("breadcrumbs")[1].split("</nav>")[0]
    assert f'<a href="{LIST}">Customers</a>' in breadcrumbs
    assert breadcrumbs.count("Create in Alguna") == 1
    assert QUESTION in shown
    assert "csrfmiddlewaretoken" in shown.split('id="content-main"')[1]
    assert "@" not in shown
    assert fake.requests == []
    assert Customer.objects.get(pk=shop.pk).customer_id is None


def test_confirming_creates_or_adopts_each_customer_and_reports_it(
    admin_client: Client, fake: FakeAlguna, shop: Customer, known: Customer, acme: Customer, umbrella: Customer
) -> None:
    there = fake.add_customer("umbrella-2")
    Customer.objects.filter(pk=umbrella.pk).update(currency="USD")
    told = messages(confirm(admin_client, act(admin_client, shop, known, acme, umbrella)))
    assert sorted(told) == [
        ("error", "Acme: refused. Currency: Alguna has no customers without one."),
        ("info", "Known: known already."),
        ("success", "Shop: created in Alguna."),
        ("success", "Umbrella: found in Alguna and adopted."),
    ]
    for customer in (shop, umbrella, acme):
        customer.refresh_from_db()
    assert shop.customer_id
    assert (umbrella.customer_id, acme.customer_id) == (there, None)
    assert [request.body["name"] for request in fake.requests if request.method == "POST"] == ["Shop"]


def test_created_customers_get_a_history_entry(admin_client: Client, fake: FakeAlguna, shop: Customer) -> None:
    untouched = Customer.objects.create(alias="bad", name="Bad")
    confirm(admin_client, act(admin_client, shop, untouched))
    shop.refresh_from_db()
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user.get_username()) == (str(shop.pk), "admin")
    assert entry.get_change_message() == f"As {shop.customer_id}: created in Alguna."


def test_a_selection_across_all_pages_keeps_the_filters(admin_client: Client, fake: FakeAlguna, shop: Customer) -> None:
    other = Customer.objects.create(alias="shop-10", name="Shop two", currency="EUR")
    elsewhere = Customer.objects.create(alias="bakery", name="Bakery", currency="EUR")
    filtered = f"{LIST}?q=Shop"
    fields = {"action": "create_in_alguna", "_selected_action": [shop.pk], "index": 0, "select_across": 1}
    asked = admin_client.post(filtered, fields)
    assert [each.name for each in asked.context["ready"]] == ["Shop", "Shop two"]
    assert asked.context["back"] == filtered
    admin_client.post(filtered, {**dict(asked.context["fields"]), "confirmed": "Yes"})
    for customer in (shop, other, elsewhere):
        customer.refresh_from_db()
    assert shop.customer_id
    assert other.customer_id
    assert elsewhere.customer_id is None


def test_only_selected_customers_are_created(admin_client: Client, shop: Customer) -> None:
    other = Customer.objects.create(alias="shop-10", name="Shop two", currency="EUR")
    third = Customer.objects.create(alias="shop-11", name="Shop three", currency="EUR")
    confirm(admin_client, act(admin_client, shop, other))
    assert list(Customer.objects.filter(customer_id=None)) == [third]


def test_long_lists_are_cut_and_counted(admin_client: Client, monkeypatch: pytest.MonkeyPatch, known: Customer) -> None:
    monkeypatch.setattr(create_in_alguna, "MAX_LISTED", 2)
    rows = [Customer(alias=f"new-{number}", name="New", currency="EUR") for number in range(5)]
    rows += [Customer(alias=f"old-{number}", name="Old", customer_id=f"cust_{number}") for number in range(2)]
    Customer.objects.bulk_create(rows)
    asked = act(admin_client, *Customer.objects.all())
    assert [len(asked.context[kind]) for kind in ("ready", "known")] == [2, 2]
    shown = text(asked)
    assert "And 3 more whose ids are not known, not listed here." in shown
    assert "<h2>3 customers known already</h2>" in shown
    assert "<p>And 1 more.</p>" in shown
    assert "Yes, create them" in shown


def test_without_customers_to_create_there_is_only_a_back_link(
    admin_client: Client, known: Customer, acme: Customer
) -> None:
    shown = text(act(admin_client, known, acme))
    assert QUESTION not in shown
    assert f'<a href="{LIST}" class="closelink">Back</a>' in shown


def test_an_alias_that_is_an_email_address_is_not_shown(admin_client: Client, fake: FakeAlguna) -> None:
    customer = Customer.objects.create(alias="mia@acme.example", currency="EUR")
    asked = act(admin_client, customer)
    assert [each.name for each in asked.context["wrong"]] == [f"customer {customer.pk}"]
    told = messages(confirm(admin_client, asked))
    assert told == [("error", f"customer {customer.pk}: refused. Name: Alguna has no customers without one.")]


def test_one_customer_is_created_from_its_change_page(admin_client: Client, fake: FakeAlguna, shop: Customer) -> None:
    filters = "?_changelist_filters=q%3DShop"
    assert f'<a href="{page(shop)}{filters}">Create in Alguna</a>' in text(admin_client.get(change(shop) + filters))
    asked = admin_client.get(page(shop) + filters)
    assert [each.name for each in asked.context["ready"]] == ["Shop"]
    assert QUESTION in text(asked)
    assert asked.context["back"] == change(shop) + filters
    assert [request.method for request in fake.requests] == ["GET"]  # the look-up of the first page
    done = admin_client.post(page(shop) + filters, {"confirmed": "Yes"})
    assert done.headers["Location"] == change(shop) + filters
    shown = admin_client.get(change(shop))
    assert messages(shown) == [("success", "Shop: created in Alguna.")]
    assert page(shop) not in text(shown)


def test_an_id_in_a_rejected_form_does_not_remove_the_button(admin_client: Client, shop: Customer) -> None:
    refused = admin_client.post(change(shop), {"alias": "", "customer_id": "cust_typed"})
    assert refused.status_code == 200
    assert page(shop) in text(refused)


def test_a_missing_api_key_is_reported(admin_client: Client, settings: Settings, shop: Customer) -> None:
    settings.ALGUNA_PORTAL_API_KEY = ""
    other = Customer.objects.create(alias="shop-10", name="Shop two", currency="EUR")
    told = messages(confirm(admin_client, act(admin_client, shop, other)))
    assert [level for level, _text in told] == ["error", "warning"]
    assert told[0][1].startswith("Shop: failed. ALGUNA_PORTAL_API_KEY is not set.")
    assert told[1][1].startswith("1 customer was not tried.")
