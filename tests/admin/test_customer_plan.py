"""The synchronized plan on a customer's page, and the filter for plans that aren't mapped."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from pytest_django import Settings

from alguna_portal.admin import CustomerAdmin
from alguna_portal.models import Customer
from alguna_portal.testing import FakeAlguna
from tests.support.admin import create_form_data, get_list_url, get_rows, get_text, get_url

LIST = get_list_url(Customer)
ADD = get_list_url(Customer, "add")
PLAN_IDS = {"plan_g": "growth", "plan_s": "starter"}
WHEN = datetime(2026, 5, 6, 7, 8, tzinfo=UTC)
HINT = "It follows Alguna: what is chosen here lasts until it is next asked for the plan."
UNMAPPED = (
    "<strong>It is not mapped, so the plan here was left as it is. Add plan_new to ALGUNA_PORTAL_PLAN_IDS, and run "
    "“manage.py alguna_sync”.</strong>"
)


@pytest.fixture(autouse=True)
def _fake(empty_fake: FakeAlguna, settings: Settings) -> None:
    """An Alguna API without customers, with two mapped plans."""
    settings.ALGUNA_PORTAL_PLAN_IDS = PLAN_IDS


def store_plan(customer: Customer, plan_id: str) -> Customer:
    """Store the synchronized plan of a customer."""
    Customer.objects.filter(pk=customer.pk).update(plan_id=plan_id, plan_synced_at=WHEN)
    return customer


def get_page(client: Client, customer: Customer) -> str:
    """Return the page of a customer with normalized white space."""
    return " ".join(get_text(client.get(get_url(customer))).split())


def get_aliases(client: Client, **query: str) -> list[str]:
    """Return the aliases in the changelist."""
    return [customer.alias for customer in get_rows(client.get(LIST, query))]


def test_a_mapped_plan_is_shown_with_its_time(admin_client: Client, acme: Customer) -> None:
    page = get_page(admin_client, store_plan(acme, "plan_s"))
    assert "Plan in Alguna:" in page
    assert "plan_s (asked on May 6, 2026, 2:08 a.m.)" in page
    assert "alguna_sync" not in page


def test_a_plan_that_is_not_mapped_or_not_stored_is_shown_with_the_remedy(
    admin_client: Client, acme: Customer, settings: Settings
) -> None:
    page = get_page(admin_client, store_plan(acme, "plan_new"))
    assert f"plan_new (asked on May 6, 2026, 2:08 a.m.)</div>{UNMAPPED}" in page
    settings.ALGUNA_PORTAL_PLAN_IDS = {**PLAN_IDS, "plan_new": "enterprise"}
    page = get_page(admin_client, acme)
    assert "It is not mapped" not in page
    assert "<strong>That is “enterprise”, which is not stored here yet: run “manage.py alguna_sync”.<" in page
    Customer.objects.update(plan="enterprise")
    assert "<strong>That is" not in get_page(admin_client, acme)


@pytest.mark.parametrize(
    ("plan_id", "synced_at", "text"),
    [("", None, "Not asked for yet<"), ("", WHEN, "None (asked on May 6, 2026, 2:08 a.m.)")],
)
def test_a_missing_plan_is_shown_as_such(
    admin_client: Client, acme: Customer, plan_id: str, synced_at: Any, text: str
) -> None:
    Customer.objects.update(plan_id=plan_id, plan_synced_at=synced_at)
    page = get_page(admin_client, acme)
    assert text in page
    assert "alguna_sync" not in page


def test_a_plan_id_that_is_an_email_address_is_not_shown(admin_client: Client, acme: Customer) -> None:
    assert "anna@acme.example" not in get_page(admin_client, store_plan(acme, "anna@acme.example"))


def test_without_plan_ids_there_is_no_warning_filter_or_hint(
    admin_client: Client, acme: Customer, settings: Settings
) -> None:
    store_plan(acme, "plan_new")
    settings.ALGUNA_PORTAL_PLAN_IDS = {}
    page = get_page(admin_client, acme)
    assert "plan_new (asked on" in page
    for each in ("alguna_sync", HINT):
        assert each not in page
    assert "plan_in_alguna" not in get_text(admin_client.get(LIST))


def test_invalid_plan_ids_are_shown_on_the_page(admin_client: Client, acme: Customer, settings: Settings) -> None:
    store_plan(acme, "plan_new")
    settings.ALGUNA_PORTAL_PLAN_IDS = {"plan_new": "no-such-plan"}
    assert "<strong>ALGUNA_PORTAL_PLAN_IDS[" in get_page(admin_client, acme)
    assert get_aliases(admin_client) == ["acme-1"]


def test_a_rejected_form_shows_the_stored_plan(admin_client: Client, acme: Customer) -> None:
    store_plan(acme, "plan_g")
    response = admin_client.post(get_url(acme), create_form_data(alias="", plan="growth"))
    assert "That is “growth”, which is not stored here yet" in get_text(response)
    assert "Plan in Alguna" not in get_text(admin_client.get(ADD))


def test_the_plan_field_says_that_it_follows_alguna(admin_client: Client, acme: Customer) -> None:
    page = get_page(admin_client, acme)
    assert f"The subscription itself is in Alguna. {HINT}" in page


def test_customers_are_filtered_by_plans_that_are_not_mapped(
    admin_client: Client, acme: Customer, umbrella: Customer, settings: Settings
) -> None:
    Customer.objects.create(alias="never-3")
    store_plan(acme, "plan_new")
    store_plan(umbrella, "plan_g")
    listed = get_text(admin_client.get(LIST))
    assert '<a href="?plan_in_alguna=unmapped">' in listed
    assert get_aliases(admin_client, plan_in_alguna="unmapped") == ["acme-1"]
    settings.ALGUNA_PORTAL_PLAN_IDS = {"plan_new": "starter"}
    assert get_aliases(admin_client, plan_in_alguna="unmapped") == ["umbrella-2"]
    assert len(get_aliases(admin_client)) == 3


def test_an_unknown_filter_value_redirects_to_the_list(admin_client: Client, acme: Customer) -> None:
    assert admin_client.get(LIST, {"plan_in_alguna": "all"}).headers["Location"] == f"{LIST}?e=1"


def test_editing_keeps_the_synchronized_plan(admin_client: Client, acme: Customer) -> None:
    store_plan(acme, "plan_new")
    data = create_form_data(name="Other", alias="acme-1", plan="starter")
    assert admin_client.post(get_url(acme), data).status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.plan_id, acme.plan_synced_at) == ("Other", "plan_new", WHEN)


def test_the_page_reads_the_customer_from_the_primary_database(acme: Customer, settings: Settings) -> None:
    settings.DATABASE_ROUTERS = ["tests.support.database_routers.ObjectDatabaseRouter"]
    customers = CustomerAdmin(Customer, admin.site)
    assert customers.plan_in_alguna(acme) == "Not asked for yet"
    assert '"customer_alias": "acme-1"' in customers.sent_as_viewer(acme).replace("&quot;", '"')
