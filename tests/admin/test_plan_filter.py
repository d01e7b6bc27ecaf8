"""Alguna's plans beside customers in the admin: what was learned, what stands against it now, and who is concerned."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from pytest_django import Settings

from alguna_portal.admin import CustomerAdmin
from alguna_portal.models import Customer
from alguna_portal.testing import FakeAlguna
from tests.admin.test_customer import ADD, LIST, change, form, text

PLAN_IDS = {"plan_g": "growth", "plan_s": "starter"}
WHEN = datetime(2026, 5, 6, 7, 8, tzinfo=UTC)
HINT = "It follows Alguna: what is chosen here lasts until it is next asked for the plan."
UNMAPPED = (
    "<strong>It is not mapped, so the plan here was left as it is. Add plan_new to ALGUNA_PORTAL_PLAN_IDS, and run "
    "“manage.py alguna_sync”.</strong>"
)


@pytest.fixture(autouse=True)
def _fake(fresh_alguna: FakeAlguna, settings: Settings) -> None:
    """Alguna, which the page of a customer asks, and two of whose plans are mapped."""
    settings.ALGUNA_PORTAL_PLAN_IDS = PLAN_IDS


def learned(customer: Customer, plan_id: str) -> Customer:
    """Have learned the plan of a customer."""
    Customer.objects.filter(pk=customer.pk).update(plan_id=plan_id, plan_synced_at=WHEN)
    return customer


def page(client: Client, customer: Customer) -> str:
    """The page of a customer, with spaces for whatever Django breaks lines with."""
    return " ".join(text(client.get(change(customer))).split())


def shown(client: Client, **query: str) -> list[str]:
    """The aliases in the list."""
    return [customer.alias for customer in client.get(LIST, query).context["cl"].result_list]


def test_a_plan_that_is_mapped_is_shown(admin_client: Client, acme: Customer) -> None:
    """With the time at which Alguna was asked, and without a warning."""
    found = page(admin_client, learned(acme, "plan_s"))
    assert "Plan in Alguna:" in found
    assert "plan_s (asked on May 6, 2026, 2:08 a.m.)" in found
    assert "alguna_sync" not in found


def test_a_plan_that_is_not_mapped_is_shown_with_the_remedy(
    admin_client: Client, acme: Customer, settings: Settings
) -> None:
    """By the settings as they are now: once it is mapped, what is missing is that somebody asks."""
    found = page(admin_client, learned(acme, "plan_new"))
    assert f"plan_new (asked on May 6, 2026, 2:08 a.m.)</div>{UNMAPPED}" in found
    settings.ALGUNA_PORTAL_PLAN_IDS = {**PLAN_IDS, "plan_new": "enterprise"}
    found = page(admin_client, acme)
    assert "It is not mapped" not in found
    assert "<strong>That is “enterprise”, which is not stored here yet: run “manage.py alguna_sync”.<" in found
    Customer.objects.update(plan="enterprise")
    assert "<strong>That is" not in page(admin_client, acme)


@pytest.mark.parametrize(
    ("plan_id", "synced_at", "said"),
    [("", None, "Not asked for yet<"), ("", WHEN, "None (asked on May 6, 2026, 2:08 a.m.)")],
)
def test_where_there_is_none_it_is_said(
    admin_client: Client, acme: Customer, plan_id: str, synced_at: Any, said: str
) -> None:
    """Whether nobody asked, or Alguna had none."""
    Customer.objects.update(plan_id=plan_id, plan_synced_at=synced_at)
    found = page(admin_client, acme)
    assert said in found
    assert "alguna_sync" not in found


def test_an_id_that_is_an_address_is_not_shown(admin_client: Client, acme: Customer) -> None:
    """As of customers."""
    assert "anna@acme.example" not in page(admin_client, learned(acme, "anna@acme.example"))


def test_without_plan_ids_nothing_is_wrong(admin_client: Client, acme: Customer, settings: Settings) -> None:
    """Plans are not Alguna's matter then: no warning, no filter, no hint."""
    learned(acme, "plan_new")
    settings.ALGUNA_PORTAL_PLAN_IDS = {}
    found = page(admin_client, acme)
    assert "plan_new (asked on" in found
    for each in ("alguna_sync", HINT):
        assert each not in found
    assert "plan_in_alguna" not in text(admin_client.get(LIST))


def test_with_wrong_settings_the_pages_open(admin_client: Client, acme: Customer, settings: Settings) -> None:
    """And say what is wrong."""
    learned(acme, "plan_new")
    settings.ALGUNA_PORTAL_PLAN_IDS = {"plan_new": "no-such-plan"}
    assert "<strong>ALGUNA_PORTAL_PLAN_IDS[" in page(admin_client, acme)
    assert shown(admin_client) == ["acme-1"]


def test_a_form_that_was_refused_shows_what_is_stored(admin_client: Client, acme: Customer) -> None:
    """Not what was typed; and a new customer has nothing to show."""
    learned(acme, "plan_g")
    response = admin_client.post(change(acme), form(alias="", plan="growth"))
    assert "That is “growth”, which is not stored here yet" in text(response)
    assert "Plan in Alguna" not in text(admin_client.get(ADD))


def test_what_is_chosen_is_said_not_to_last(admin_client: Client, acme: Customer) -> None:
    """Beside what the field says anyway."""
    found = page(admin_client, acme)
    assert f"The subscription itself is in Alguna. {HINT}" in found


def test_customers_on_plans_that_are_not_mapped_are_found(
    admin_client: Client, acme: Customer, umbrella: Customer, settings: Settings
) -> None:
    """By the settings as they are now."""
    Customer.objects.create(alias="never-3")
    learned(acme, "plan_new")
    learned(umbrella, "plan_g")
    listed = text(admin_client.get(LIST))
    assert '<a href="?plan_in_alguna=unmapped">' in listed
    assert shown(admin_client, plan_in_alguna="unmapped") == ["acme-1"]
    settings.ALGUNA_PORTAL_PLAN_IDS = {"plan_new": "starter"}
    assert shown(admin_client, plan_in_alguna="unmapped") == ["umbrella-2"]
    assert len(shown(admin_client)) == 3


def test_a_filter_that_nobody_offers_leads_back(admin_client: Client, acme: Customer) -> None:
    """As Django's own filters do."""
    assert admin_client.get(LIST, {"plan_in_alguna": "all"}).headers["Location"] == f"{LIST}?e=1"


def test_editing_leaves_what_was_learned(admin_client: Client, acme: Customer) -> None:
    """A new name is no new plan."""
    learned(acme, "plan_new")
    assert admin_client.post(change(acme), form(name="Other", alias="acme-1", plan="starter")).status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.plan_id, acme.plan_synced_at) == ("Other", "plan_new", WHEN)


def test_what_is_said_of_a_customer_is_read_where_it_is_written(acme: Customer, settings: Settings) -> None:
    """A replica may not have what was just saved."""
    settings.DATABASE_ROUTERS = ["tests.support.database_routers.Elsewhere"]
    customers = CustomerAdmin(Customer, admin.site)
    assert customers.plan_in_alguna(acme) == "Not asked for yet"
    assert '"customer_alias": "acme-1"' in customers.sent_as_viewer(acme).replace("&quot;", '"')
