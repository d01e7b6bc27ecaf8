"""The admin, through its pages: customers found, edited with errors where they are, and previewed."""

import html
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from alguna_portal.models import Customer, Membership
from alguna_portal.testing import fake_alguna

LIST = reverse("admin:alguna_portal_customer_changelist")
ADD = reverse("admin:alguna_portal_customer_add")


@pytest.fixture(autouse=True)
def _fake() -> Iterator[None]:
    """Alguna, which the page of a customer asks."""
    with fake_alguna():
        yield


@pytest.fixture
def staff(admin_user: User) -> Client:
    """A superuser's browser."""
    client = Client()
    client.force_login(admin_user)
    return client


def browser(user: User, *permissions: str) -> Client:
    """The browser of a member of staff with some permissions."""
    user.is_staff = True
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def change(customer: Customer) -> str:
    """The address of a customer's page."""
    return reverse("admin:alguna_portal_customer_change", args=[customer.pk])


def form(**fields: Any) -> dict[str, Any]:
    """Fill the customer form, without memberships unless given."""
    empty = {
        "name": "",
        "alias": "",
        "customer_id": "",
        "email": "",
        "currency": "",
        "plan": "",
        "portal_settings": "{}",
    }
    formset = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    return empty | formset | fields


def text(response: Any) -> str:
    """What a page says."""
    return html.unescape(response.content.decode())


def test_a_customer_is_added_with_members(staff: Client, stranger: User) -> None:
    people = {
        "memberships-TOTAL_FORMS": 1,
        "memberships-0-user": stranger.pk,
        "memberships-0-role": "viewer",
    }
    response = staff.post(ADD, form(name="Acme", alias="acme-1", plan="enterprise", currency="EUR", **people))
    assert response.status_code == 302
    customer = Customer.objects.get()
    assert (customer.alias, customer.plan, customer.customer_id) == ("acme-1", "enterprise", None)
    assert [(each.user, each.role) for each in customer.memberships.all()] == [(stranger, "viewer")]


def test_an_empty_id_is_stored_as_null(staff: Client) -> None:
    for alias in ("a", "b"):
        assert staff.post(ADD, form(alias=alias)).status_code == 302
    assert list(Customer.objects.values_list("customer_id", flat=True)) == [None, None]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ('{"plan_overview": {}}', "Portal settings have no section “plan_overview”. Did you mean"),
        ('{"invoice_list_settings": {"show_section": 1}}', "“invoice_list_settings.show_section” is true or false"),
        ("[1]", "Portal settings are a mapping of sections, not a list."),
        ("[]", "Portal settings are a mapping of sections, not a list."),
        ("false", "Portal settings are a mapping of sections, not a bool."),
        ("{oops", "Enter a valid JSON."),
    ],
)
def test_invalid_portal_settings_are_field_errors(staff: Client, acme: Customer, raw: str, message: str) -> None:
    response = staff.post(change(acme), form(alias="acme-1", name="New", portal_settings=raw))
    errors = response.context["adminform"].form.errors
    assert set(errors) == {"portal_settings"}
    assert message in errors["portal_settings"][0]
    assert message in text(response)
    as_manager = text(response).split("or a manager:")[1].split("or a viewer:")[0]
    assert '"customer_alias": "acme-1"' in as_manager
    assert "allow_" not in as_manager
    acme.refresh_from_db()
    assert acme.name == "Acme"


@pytest.mark.parametrize("raw", ["", "null", "{}"])
def test_empty_portal_settings_are_stored_as_an_empty_mapping(staff: Client, acme: Customer, raw: str) -> None:
    assert staff.post(change(acme), form(alias="acme-1", portal_settings=raw)).status_code == 302
    acme.refresh_from_db()
    assert acme.portal_settings == {}


def test_the_preview_shows_the_session_requests_of_manager_and_viewer(staff: Client, umbrella: Customer) -> None:
    umbrella.portal_settings = {"invoice_list_settings": {"show_section": False}}
    umbrella.save()
    shown = text(staff.get(change(umbrella)))
    manager = """<pre>{
  "customer_alias": "umbrella-2",
  "plan_overview_settings": {
    "allow_subscription_cancel": false
  },
  "invoice_list_settings": {
    "show_section": false
  }
}</pre>"""
    assert manager in shown
    assert '"allow_payment_method_edit": false' in shown.replace(manager, "")
    assert "<pre>" not in text(staff.get(ADD))


def test_the_preview_shows_an_invalid_setting(staff: Client, acme: Customer, settings: Settings) -> None:
    settings.ALGUNA_PORTAL_PLANS = {"starter": {"oops": {}}}
    shown = text(staff.get(change(acme)))
    assert "ALGUNA_PORTAL_PLANS['starter'] is not right." in shown


def test_the_preview_shows_warnings_without_logging_them(
    staff: Client, acme: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    Customer.objects.filter(pk=acme.pk).update(plan="platinum")
    assert text(staff.get(change(acme))).count("Plan 'platinum' is not in ALGUNA_PORTAL_PLANS.") == 2
    assert "alguna_portal" not in caplog.text


def test_only_configured_plans_can_be_chosen(staff: Client, acme: Customer) -> None:
    shown = text(staff.get(ADD))
    for plan in ("starter", "growth", "enterprise"):
        assert f'<option value="{plan}">' in shown
    response = staff.post(change(acme), form(alias="acme-1", plan="platinum"))
    assert set(response.context["adminform"].form.errors) == {"plan"}


def test_a_plan_that_is_no_longer_configured_is_kept_and_marked(staff: Client, acme: Customer) -> None:
    Customer.objects.filter(pk=acme.pk).update(plan="legacy")
    assert '<option value="legacy" selected>legacy (not configured)' in text(staff.get(change(acme)))
    assert staff.post(change(acme), form(alias="acme-1", plan="legacy")).status_code == 302
    acme.refresh_from_db()
    assert acme.plan == "legacy"


@pytest.mark.parametrize("query", ["Acm", "acme-1", "cust_77", "billing@acme", "mia"])
def test_customers_are_searched_by_name_alias_id_email_and_member(
    staff: Client, acme: Customer, umbrella: Customer, manager: User, query: str
) -> None:
    Customer.objects.filter(pk=acme.pk).update(customer_id="cust_77", email="billing@acme.example")
    response = staff.get(LIST, {"q": query})
    assert list(response.context["cl"].queryset) == [acme]
    assert "billing@acme.example" not in text(response)


def test_users_are_searched_if_their_admin_allows_it(staff: Client, acme: Customer, manager: User) -> None:
    assert "admin-autocomplete" in text(staff.get(change(acme)))
    users = admin.site._registry.pop(User)
    try:
        shown = text(staff.get(change(acme)))
    finally:
        admin.site._registry[User] = users
    assert "admin-autocomplete" not in shown
    assert f'<input type="text" name="memberships-0-user" value="{manager.pk}"' in shown


def test_the_view_permission_opens_a_read_only_page(acme: Customer, stranger: User) -> None:
    stranger.is_staff = True
    stranger.save()
    stranger.user_permissions.add(Permission.objects.get(codename="view_customer"))
    client = Client()
    client.force_login(stranger)
    assert '"customer_alias": "acme-1"' in text(client.get(change(acme)))
    assert client.post(change(acme), form(alias="x")).status_code == 403


def test_a_member_cannot_be_added_twice(staff: Client, acme: Customer, manager: User) -> None:
    membership = Membership.objects.get()
    people = {
        "memberships-TOTAL_FORMS": 2,
        "memberships-INITIAL_FORMS": 1,
        "memberships-0-id": membership.pk,
        "memberships-0-customer": acme.pk,
        "memberships-0-user": manager.pk,
        "memberships-0-role": "manager",
        "memberships-1-customer": acme.pk,
        "memberships-1-user": manager.pk,
        "memberships-1-role": "viewer",
    }
    response = staff.post(change(acme), form(alias="acme-1", **people))
    # Django 5.2 speaks of duplicates, Django 6 of a membership that exists.
    assert response.context["errors"]
    assert Membership.objects.count() == 1
