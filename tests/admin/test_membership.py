"""Memberships: on the page of a customer with few members, and in their own admin."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alguna_portal.models import Customer, Membership
from tests.support.admin import create_form_data, get_list_url, get_text, get_url, sign_in, unregister

ADD = get_list_url(Customer, "add")
MEMBERS = get_list_url(Membership)
ADD_MEMBER = get_list_url(Membership, "add")

pytestmark = pytest.mark.usefixtures("fake_with_all_customers")


@pytest.fixture
def _no_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove users from the admin, so that members are entered by id."""
    unregister(monkeypatch, User)


def create_members(customer: Customer, count: int) -> None:
    """Add users as members."""
    first = User.objects.count()
    users = User.objects.bulk_create(User(username=f"p{first + number:03}") for number in range(count))
    Membership.objects.bulk_create(Membership(user=user, customer=customer) for user in users)


def get_queries(client: Client, url: str) -> list[str]:
    """Return the SQL of a page's queries."""
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return [query["sql"] for query in queries]


def check_queries(client: Client, customer: Customer) -> str:
    """Check that the number of queries doesn't depend on the number of members; return the page with twenty."""
    create_members(customer, 2)
    client.get(get_url(customer))
    few = get_queries(client, get_url(customer))
    create_members(customer, 18)
    assert len(get_queries(client, get_url(customer))) == len(few)
    return get_text(client.get(get_url(customer)))


def get_form_data(page: Any) -> dict[str, Any]:
    """Return the data that the form of a customer's page would submit, with the members."""
    shown = page.context["adminform"].form
    fields = {name: shown[name].value() or "" for name in shown.fields}
    for inline in page.context["inline_admin_formsets"]:
        for each in (inline.formset.management_form, *inline.formset.forms):
            fields |= {each[name].html_name: each[name].value() for name in each.fields if name != "DELETE"}
    return {name: "" if value is None else value for name, value in fields.items()}


def test_the_number_of_queries_is_constant_with_searched_users(admin_client: Client, acme: Customer) -> None:
    assert check_queries(admin_client, acme).count(" selected>p0") == 20


@pytest.mark.usefixtures("_no_users")
def test_the_number_of_queries_is_constant_with_user_ids(admin_client: Client, acme: Customer) -> None:
    assert len(re.findall(r"<strong>\s*p0\d\d\s*</strong>", check_queries(admin_client, acme))) == 20


def test_the_number_of_queries_is_constant_on_a_read_only_page(non_member: User, acme: Customer) -> None:
    client = sign_in(non_member, "view_customer", "view_membership")
    assert check_queries(client, acme).count(">p0") == 20


def test_a_rejected_form_shows_the_newly_selected_user(admin_client: Client, manager: User, non_member: User) -> None:
    customer = Customer.objects.get()
    fields = get_form_data(admin_client.get(get_url(customer)))
    refused = admin_client.post(get_url(customer), {**fields, "memberships-0-user": non_member.pk, "currency": "ZZZ"})
    assert f'<option value="{non_member.pk}" selected>sue</option>' in get_text(refused)
    assert ">mia</option>" not in get_text(refused)


@pytest.mark.usefixtures("_no_users")
def test_a_rejected_form_shows_the_newly_entered_user(admin_client: Client, manager: User, non_member: User) -> None:
    customer = Customer.objects.get()
    fields = get_form_data(admin_client.get(get_url(customer)))
    refused = admin_client.post(get_url(customer), {**fields, "memberships-0-user": non_member.pk, "currency": "ZZZ"})
    assert re.findall(r"<strong>(?:<a [^>]*>)?(mia|sue)<", get_text(refused)) == ["sue"]


def test_a_member_links_to_the_users_page(manager: User, non_member: User) -> None:
    client = sign_in(non_member, "change_customer", "view_customer", "change_membership", "view_membership")
    shown = get_text(client.get(get_url(Customer.objects.get())))
    address = get_url(manager)
    assert re.search(rf'<strong>\s*<a href="{address}">mia</a>\s*</strong>', shown)


def test_up_to_a_hundred_members_are_edited_on_the_page(admin_client: Client, acme: Customer) -> None:
    create_members(acme, 100)
    page = admin_client.get(get_url(acme))
    assert ">Members<" not in get_text(page)
    fields = get_form_data(page) | {"name": "Acme Ltd"}
    assert admin_client.post(get_url(acme), fields | {"memberships-99-role": "viewer"}).status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.memberships.filter(role="viewer").count()) == ("Acme Ltd", 1)
    create_members(acme, 1)
    assert "memberships-TOTAL_FORMS" not in get_text(admin_client.get(get_url(acme)))


def test_a_customer_with_very_many_members_can_be_saved(admin_client: Client, acme: Customer) -> None:
    create_members(acme, 300)
    page = admin_client.get(get_url(acme))
    assert len(get_queries(admin_client, get_url(acme))) < 20
    assert admin_client.post(get_url(acme), get_form_data(page) | {"name": "Acme Ltd"}).status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.memberships.count()) == ("Acme Ltd", 300)


def test_the_page_links_to_the_list_of_many_members(admin_client: Client, acme: Customer, umbrella: Customer) -> None:
    create_members(acme, 101)
    create_members(umbrella, 1)
    url = f"{MEMBERS}?customer={acme.pk}"
    assert f'<li><a href="{url}">Members</a></li>' in get_text(admin_client.get(get_url(acme)))
    found = admin_client.get(url).context["cl"]
    assert found.result_count == 101
    assert found.filter_specs[1].lookup_choices == [(str(acme.pk), "Acme")]


def test_the_link_to_members_needs_permission_and_a_registered_admin(
    admin_client: Client, non_member: User, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_members(acme, 101)
    assert ">Members<" not in get_text(sign_in(non_member, "view_customer").get(get_url(acme)))
    unregister(monkeypatch, Membership)
    assert ">Members<" not in get_text(admin_client.get(get_url(acme)))


@pytest.mark.parametrize(("before", "more"), [(100, 1), (101, -1)])
def test_a_form_is_saved_if_the_number_of_members_changes(
    admin_client: Client, acme: Customer, before: int, more: int
) -> None:
    create_members(acme, before)
    fields = get_form_data(admin_client.get(get_url(acme))) | {"name": "Acme Ltd"}
    if more > 0:
        fields["memberships-0-role"] = "viewer"
        create_members(acme, more)
    else:
        Membership.objects.all()[0].delete()
    assert admin_client.post(get_url(acme), fields).status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.memberships.count()) == ("Acme Ltd", before + more)
    assert acme.memberships.filter(role="viewer").count() == (more > 0)


@pytest.mark.parametrize("query", ["mia", "Acm", "acme-1"])
def test_memberships_are_searched_by_user_and_customer(
    admin_client: Client, manager: User, umbrella: Customer, query: str
) -> None:
    create_members(umbrella, 1)
    found = admin_client.get(MEMBERS, {"q": query}).context["cl"].result_list
    assert [each.user for each in found] == [manager]


def test_the_list_shows_no_email_address_and_has_a_constant_number_of_queries(admin_client: Client, db: None) -> None:
    user = User.objects.create_user("mia@acme.example")
    customer = Customer.objects.create(alias="bill@acme.example")
    Membership.objects.create(user=user, customer=customer)
    shown = get_text(admin_client.get(MEMBERS))
    assert f">user {user.pk}<" in shown
    assert f">customer {customer.pk}<" in shown
    assert "mia@" not in shown
    assert "bill@" not in shown
    few = get_queries(admin_client, MEMBERS)
    create_members(customer, 20)
    assert len(get_queries(admin_client, MEMBERS)) == len(few)


def test_a_membership_is_added_with_searched_user_and_customer(
    admin_client: Client, acme: Customer, non_member: User
) -> None:
    assert get_text(admin_client.get(ADD_MEMBER)).count('class="admin-autocomplete"') == 2
    fields = {"user": non_member.pk, "customer": acme.pk, "role": "viewer"}
    assert admin_client.post(ADD_MEMBER, fields).status_code == 302
    assert Membership.objects.values("user", "customer", "role").get() == fields


@pytest.mark.usefixtures("_no_users")
def test_without_a_user_admin_the_user_id_is_entered(admin_client: Client) -> None:
    shown = get_text(admin_client.get(ADD_MEMBER))
    assert shown.count('class="admin-autocomplete"') == 1
    assert '<input type="text" name="user"' in shown


def test_memberships_follow_djangos_permissions(non_member: User, manager: User) -> None:
    page = get_url(Membership.objects.get())
    assert sign_in(non_member, "change_customer").get(MEMBERS).status_code == 403
    assert 'name="_save"' not in get_text(sign_in(non_member, "view_membership").get(page))
    client = sign_in(non_member, "view_membership", "change_membership")
    assert 'name="_save"' in get_text(client.get(page))
    assert client.get(ADD_MEMBER).status_code == 403


def test_the_add_page_omits_the_fields_of_a_saved_customer(admin_client: Client) -> None:
    shown = get_text(admin_client.get(ADD))
    assert "Sent to Alguna" not in shown
    assert "in Alguna:" not in shown
    assert 'name="memberships-TOTAL_FORMS"' in shown
    refused = get_text(admin_client.post(ADD, create_form_data(alias="")))
    assert "This field is required." in refused
    assert "Sent to Alguna" not in refused


def test_the_page_reads_the_customer_twice(admin_client: Client, acme: Customer) -> None:
    queries = get_queries(admin_client, get_url(acme))
    of_customer = [sql for sql in queries if re.search(r"FROM .alguna_portal_customer. WHERE .*id. = ", sql)]
    assert len(of_customer) == 2
