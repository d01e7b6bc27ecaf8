"""“Create in Alguna”: the confirmation page, created customers, and the page of one customer."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from pytest_django import Settings

from alguna_portal.admin import create_in_alguna
from alguna_portal.models import Customer
from alguna_portal.testing import FakeAlguna
from tests.support.admin import confirm, get_list_url, get_messages, get_text, get_url, run_action, run_confirmed_action

LIST = get_list_url(Customer)
BUTTON = "Yes, create"

pytestmark = pytest.mark.usefixtures("fake")


@pytest.fixture
def known(db: None) -> Customer:
    """A customer with an id."""
    return Customer.objects.create(alias="known-1", name="Known", currency="EUR", customer_id="cust_known")


def test_the_confirmation_page_lists_customers_with_reasons_and_creates_none(
    admin_client: Client, fake: FakeAlguna, shop: Customer, known: Customer, acme: Customer
) -> None:
    Customer.objects.filter(pk=acme.pk).update(currency="ZZZ", email="oops@")
    page = run_action(admin_client, "create_in_alguna", shop, known, acme)
    shown = get_text(page)
    assert [each.name for each in page.context["ready"]] == ["Shop"]
    assert [(each.name, each.reasons) for each in page.context["wrong"]] == [
        (
            "Acme",
            [
                "Billing e-mail: Enter a valid email address.",
                "Currency: A currency is a code of three capital letters from ISO 4217: USD, EUR.",
            ],
        )
    ]
    assert [each.name for each in page.context["known"]] == ["Known"]
    for customer in (shop, known, acme):
        assert f'<a href="{get_url(customer)}">{customer.name}</a>' in shown
    for heading in ("1 customer to create", "1 customer that Alguna would not accept", "1 customer known already"):
        assert f"<h2>{heading}</h2>" in shown
    assert "<li>Billing e-mail: Enter a valid email address.</li>" in shown
    breadcrumbs = shown.split("breadcrumbs")[1].split("</nav>")[0]
    assert f'<a href="{LIST}">Customers</a>' in breadcrumbs
    assert breadcrumbs.count("Create in Alguna") == 1
    assert BUTTON in shown
    assert "csrfmiddlewaretoken" in shown.split('id="content-main"')[1]
    assert "@" not in shown
    assert fake.requests == []
    assert Customer.objects.get(pk=shop.pk).customer_id is None


def test_confirming_creates_or_adopts_each_customer_and_reports_it(
    admin_client: Client, fake: FakeAlguna, shop: Customer, known: Customer, acme: Customer, umbrella: Customer
) -> None:
    there = fake.add_customer("umbrella-2")
    Customer.objects.filter(pk=umbrella.pk).update(currency="USD")
    messages = run_confirmed_action(admin_client, "create_in_alguna", shop, known, acme, umbrella)
    assert sorted(messages) == [
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


def test_created_customers_get_a_history_entry(admin_client: Client, shop: Customer) -> None:
    untouched = Customer.objects.create(alias="bad", name="Bad")
    run_confirmed_action(admin_client, "create_in_alguna", shop, untouched)
    shop.refresh_from_db()
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user.get_username()) == (str(shop.pk), "admin")
    assert entry.get_change_message() == f"As {shop.customer_id}: created in Alguna."


def test_a_selection_across_all_pages_keeps_the_filters(admin_client: Client, shop: Customer) -> None:
    other = Customer.objects.create(alias="shop-10", name="Shop two", currency="EUR")
    elsewhere = Customer.objects.create(alias="bakery", name="Bakery", currency="EUR")
    page = run_action(admin_client, "create_in_alguna", shop, query="?q=Shop", select_across=1)
    assert [each.name for each in page.context["ready"]] == ["Shop", "Shop two"]
    assert page.context["back"] == f"{LIST}?q=Shop"
    admin_client.post(f"{LIST}?q=Shop", {**dict(page.context["fields"]), "confirmed": "Yes"})
    assert set(Customer.objects.exclude(customer_id=None)) == {shop, other}
    assert Customer.objects.get(customer_id=None) == elsewhere


def test_only_selected_customers_are_created(admin_client: Client, shop: Customer) -> None:
    other = Customer.objects.create(alias="shop-10", name="Shop two", currency="EUR")
    third = Customer.objects.create(alias="shop-11", name="Shop three", currency="EUR")
    run_confirmed_action(admin_client, "create_in_alguna", shop, other)
    assert list(Customer.objects.filter(customer_id=None)) == [third]


def test_long_lists_are_cut_and_counted(admin_client: Client, monkeypatch: pytest.MonkeyPatch, known: Customer) -> None:
    monkeypatch.setattr(create_in_alguna, "MAX_LISTED", 2)
    rows = [Customer(alias=f"new-{number}", name="New", currency="EUR") for number in range(5)]
    rows += [Customer(alias=f"old-{number}", name="Old", customer_id=f"cust_{number}") for number in range(2)]
    Customer.objects.bulk_create(rows)
    page = run_action(admin_client, "create_in_alguna", *Customer.objects.all())
    assert [len(page.context[kind]) for kind in ("ready", "known")] == [2, 2]
    shown = get_text(page)
    assert "And 3 more whose ids are not known, not listed here." in shown
    assert "<h2>3 customers known already</h2>" in shown
    assert "<p>And 1 more.</p>" in shown
    assert "Yes, create them" in shown


def test_without_customers_to_create_there_is_only_a_back_link(
    admin_client: Client, known: Customer, acme: Customer
) -> None:
    shown = get_text(run_action(admin_client, "create_in_alguna", known, acme))
    assert BUTTON not in shown
    assert f'<a href="{LIST}" class="closelink">Back</a>' in shown


def test_an_alias_that_is_an_email_address_is_not_shown(admin_client: Client) -> None:
    customer = Customer.objects.create(alias="mia@acme.example", currency="EUR")
    page = run_action(admin_client, "create_in_alguna", customer)
    assert [each.name for each in page.context["wrong"]] == [f"customer {customer.pk}"]
    messages = get_messages(confirm(admin_client, page))
    assert messages == [("error", f"customer {customer.pk}: refused. Name: Alguna has no customers without one.")]


def test_one_customer_is_created_from_its_change_page(admin_client: Client, fake: FakeAlguna, shop: Customer) -> None:
    filters = "?_changelist_filters=q%3DShop"
    url, change_url = get_url(shop, "create_in_alguna"), get_url(shop)
    shown = get_text(admin_client.get(change_url + filters))
    assert f'<a href="{url}{filters}">Create in Alguna</a>' in shown
    page = admin_client.get(url + filters)
    assert [each.name for each in page.context["ready"]] == ["Shop"]
    assert BUTTON in get_text(page)
    assert page.context["back"] == change_url + filters
    assert [request.method for request in fake.requests] == ["GET"]  # the look-up of the first page
    done = admin_client.post(url + filters, {"confirmed": "Yes"})
    assert done.headers["Location"] == change_url + filters
    response = admin_client.get(change_url)
    assert get_messages(response) == [("success", "Shop: created in Alguna.")]
    assert url not in get_text(response)


def test_an_id_in_a_rejected_form_does_not_remove_the_button(admin_client: Client, shop: Customer) -> None:
    refused = admin_client.post(get_url(shop), {"alias": "", "customer_id": "cust_typed"})
    assert refused.status_code == 200
    assert get_url(shop, "create_in_alguna") in get_text(refused)


def test_a_missing_api_key_is_reported(admin_client: Client, settings: Settings, shop: Customer) -> None:
    settings.ALGUNA_PORTAL_API_KEY = ""
    other = Customer.objects.create(alias="shop-10", name="Shop two", currency="EUR")
    messages = run_confirmed_action(admin_client, "create_in_alguna", shop, other)
    assert [level for level, _text in messages] == ["error", "warning"]
    assert messages[0][1].startswith("Shop: failed. ALGUNA_PORTAL_API_KEY is not set.")
    assert messages[1][1].startswith("1 customer was not tried.")
