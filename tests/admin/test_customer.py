"""The customer admin: search, form, plans, and the preview of session requests."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from alguna_portal.models import Customer, Membership
from tests.support.admin import create_form_data, get_list_url, get_text, get_url, sign_in, unregister

LIST = get_list_url(Customer)
ADD = get_list_url(Customer, "add")

pytestmark = pytest.mark.usefixtures("fake_with_all_customers")


def test_a_customer_is_added_with_members(admin_client: Client, non_member: User) -> None:
    members = {"memberships-TOTAL_FORMS": 1, "memberships-0-user": non_member.pk, "memberships-0-role": "viewer"}
    data = create_form_data(name="Acme", alias="acme-1", plan="enterprise", currency="EUR", **members)
    assert admin_client.post(ADD, data).status_code == 302
    customer = Customer.objects.get()
    assert (customer.alias, customer.plan, customer.customer_id) == ("acme-1", "enterprise", None)
    assert [(each.user, each.role) for each in customer.memberships.all()] == [(non_member, "viewer")]


def test_an_empty_id_is_stored_as_null(admin_client: Client) -> None:
    for alias in ("a", "b"):
        assert admin_client.post(ADD, create_form_data(alias=alias)).status_code == 302
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
def test_invalid_portal_settings_are_field_errors(admin_client: Client, acme: Customer, raw: str, message: str) -> None:
    response = admin_client.post(get_url(acme), create_form_data(alias="acme-1", name="New", portal_settings=raw))
    errors = response.context["adminform"].form.errors
    assert set(errors) == {"portal_settings"}
    assert message in errors["portal_settings"][0]
    assert message in get_text(response)
    as_manager = get_text(response).split("or a manager:")[1].split("or a viewer:")[0]
    assert '"customer_alias": "acme-1"' in as_manager
    assert "allow_" not in as_manager
    acme.refresh_from_db()
    assert acme.name == "Acme"


@pytest.mark.parametrize("raw", ["", "null", "{}"])
def test_empty_portal_settings_are_stored_as_an_empty_mapping(admin_client: Client, acme: Customer, raw: str) -> None:
    assert admin_client.post(get_url(acme), create_form_data(alias="acme-1", portal_settings=raw)).status_code == 302
    acme.refresh_from_db()
    assert acme.portal_settings == {}


def test_the_preview_shows_the_session_requests_of_manager_and_viewer(admin_client: Client, umbrella: Customer) -> None:
    umbrella.portal_settings = {"invoice_list_settings": {"show_section": False}}
    umbrella.save()
    shown = get_text(admin_client.get(get_url(umbrella)))
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
    assert "<pre>" not in get_text(admin_client.get(ADD))


def test_the_preview_shows_an_invalid_setting(admin_client: Client, acme: Customer, settings: Settings) -> None:
    settings.ALGUNA_PORTAL_PLANS = {"starter": {"oops": {}}}
    shown = get_text(admin_client.get(get_url(acme)))
    assert "ALGUNA_PORTAL_PLANS['starter'] is not right." in shown


def test_the_preview_shows_warnings_without_logging_them(
    admin_client: Client, acme: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    Customer.objects.filter(pk=acme.pk).update(plan="platinum")
    assert get_text(admin_client.get(get_url(acme))).count("Plan 'platinum' is not in ALGUNA_PORTAL_PLANS.") == 2
    assert "alguna_portal" not in caplog.text


def test_only_configured_plans_can_be_chosen(admin_client: Client, acme: Customer) -> None:
    shown = get_text(admin_client.get(ADD))
    for plan in ("starter", "growth", "enterprise"):
        assert f'<option value="{plan}">' in shown
    response = admin_client.post(get_url(acme), create_form_data(alias="acme-1", plan="platinum"))
    assert set(response.context["adminform"].form.errors) == {"plan"}


def test_a_plan_that_is_no_longer_configured_is_kept_and_marked(admin_client: Client, acme: Customer) -> None:
    Customer.objects.filter(pk=acme.pk).update(plan="legacy")
    assert '<option value="legacy" selected>legacy (not configured)' in get_text(admin_client.get(get_url(acme)))
    assert admin_client.post(get_url(acme), create_form_data(alias="acme-1", plan="legacy")).status_code == 302
    acme.refresh_from_db()
    assert acme.plan == "legacy"


@pytest.mark.parametrize("query", ["Acm", "acme-1", "cust_77", "billing@acme", "mia"])
def test_customers_are_searched_by_name_alias_id_email_and_member(
    admin_client: Client, acme: Customer, umbrella: Customer, manager: User, query: str
) -> None:
    Customer.objects.filter(pk=acme.pk).update(customer_id="cust_77", email="billing@acme.example")
    response = admin_client.get(LIST, {"q": query})
    assert list(response.context["cl"].queryset) == [acme]
    assert "billing@acme.example" not in get_text(response)


def test_users_are_searched_if_their_admin_allows_it(
    admin_client: Client, acme: Customer, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "admin-autocomplete" in get_text(admin_client.get(get_url(acme)))
    unregister(monkeypatch, User)
    shown = get_text(admin_client.get(get_url(acme)))
    assert "admin-autocomplete" not in shown
    assert f'<input type="text" name="memberships-0-user" value="{manager.pk}"' in shown


def test_the_view_permission_opens_a_read_only_page(acme: Customer, non_member: User) -> None:
    client = sign_in(non_member, "view_customer")
    assert '"customer_alias": "acme-1"' in get_text(client.get(get_url(acme)))
    assert client.post(get_url(acme), create_form_data(alias="x")).status_code == 403


def test_a_member_cannot_be_added_twice(admin_client: Client, acme: Customer, manager: User) -> None:
    membership = Membership.objects.get()
    members = {
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
    response = admin_client.post(get_url(acme), create_form_data(alias="acme-1", **members))
    # Django 5.2 speaks of duplicates, Django 6 of a membership that exists.
    assert response.context["errors"]
    assert Membership.objects.count() == 1
