"""Permissions for the actions on customers and links, in the changelist and on the page of one object."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.db.models import Model
from django.test import Client

from alguna_portal.admin import CustomerAdmin, PortalLinkAdmin
from alguna_portal.models import Customer, PortalLink
from alguna_portal.testing import FakeAlguna
from tests.support.admin import (
    confirm,
    create_access,
    create_delivery,
    create_link,
    get_list_url,
    get_recipients,
    get_text,
    get_url,
    render_customer,
    run_action,
    run_confirmed_action,
    sign_in,
)

pytestmark = pytest.mark.usefixtures("fake")

# The permissions that each action needs.
NEEDED = {
    "create_in_alguna": ["view_customer", "change_customer"],
    "send_portal_link": ["view_customer", "send_portallink"],
    "revoke": ["view_portallink", "revoke_portallink"],
    "send_again": ["view_portallink", "send_portallink"],
}
ON_CUSTOMERS = ["create_in_alguna", "send_portal_link"]
FORM = {"role": "manager", "confirmed": "Yes"}

every_action = pytest.mark.parametrize("action", NEEDED)


@pytest.fixture
def obj(action: str, shop: Customer) -> Model:
    """The customer or link on which the action runs."""
    return shop if action in ON_CUSTOMERS else create_link(shop)


def is_done(obj: Any) -> bool:
    """Check whether any of the actions has had its effect."""
    obj.refresh_from_db()
    changed = obj.customer_id if isinstance(obj, Customer) else obj.revoked_at
    return bool(changed or mail.outbox)


@every_action
def test_the_needed_permissions_suffice(non_member: User, action: str, obj: Model) -> None:
    client = sign_in(non_member, *NEEDED[action])
    assert f'<option value="{action}">' in get_text(client.get(get_list_url(type(obj))))
    shown = get_text(client.get(get_url(obj)))
    for other in ON_CUSTOMERS if action in ON_CUSTOMERS else ("revoke", "send_again"):
        assert (get_url(obj, other) in shown) is (other == action)
    assert client.post(get_url(obj, action), FORM).status_code == 302
    assert is_done(obj)


def test_sending_needs_no_permission_to_change_customers(non_member: User, customer: Customer) -> None:
    client = sign_in(non_member, "view_customer", "send_portallink")
    run_confirmed_action(client, "send_portal_link", customer)
    assert client.post(get_url(customer, "send_portal_link"), {"role": "manager"}).status_code == 302
    assert get_recipients() == ["billing@acme.example"] * 2


@pytest.mark.parametrize(
    ("action", "permissions"),
    [
        ("create_in_alguna", ["view_customer"]),
        ("send_portal_link", ["view_customer", "view_portallink", "revoke_portallink"]),
        ("send_portal_link", ["change_customer", "view_portallink", "revoke_portallink"]),
        ("revoke", ["view_portallink", "send_portallink"]),
        ("send_again", ["view_portallink", "revoke_portallink"]),
    ],
)
def test_without_the_actions_permission_nothing_happens(
    non_member: User, fake: FakeAlguna, action: str, obj: Model, permissions: list[str]
) -> None:
    client = sign_in(non_member, *permissions)
    assert f'<option value="{action}">' not in get_text(client.get(get_list_url(type(obj))))
    assert get_url(obj, action) not in get_text(client.get(get_url(obj)))
    requests = len(fake.requests)
    run_action(client, action, obj, **FORM)
    for url in (get_url(obj, action), get_url(type(obj)(pk=999), action)):
        assert client.get(url).status_code == 403
        assert client.post(url, FORM).status_code == 403
    assert len(fake.requests) == requests
    assert not is_done(obj)


@pytest.mark.parametrize("action", ["send_portal_link", "revoke", "send_again"])
def test_without_the_view_permission_nothing_happens(non_member: User, action: str, obj: Model) -> None:
    other = "view_portallink" if action in ON_CUSTOMERS else "view_customer"
    client = sign_in(non_member, "revoke_portallink", "send_portallink", other)
    assert run_action(client, action, obj, **FORM).status_code == 403
    assert client.get(get_url(obj, action)).status_code == 403
    assert client.post(get_url(obj, action), FORM).status_code == 403
    assert not is_done(obj)


@every_action
def test_users_who_are_not_staff_are_redirected_to_the_login(
    client: Client, non_member: User, action: str, obj: Model
) -> None:
    non_member.user_permissions.set(Permission.objects.filter(codename__in=NEEDED[action]))
    client.force_login(non_member)
    url = get_url(obj, action)
    for response in (client.get(url), client.post(url, FORM), Client().get(url)):
        assert response.headers["Location"].startswith("/admin/login/")
    assert not is_done(obj)


@every_action
def test_an_unknown_object_is_not_found(admin_client: Client, action: str, obj: Model) -> None:
    url = get_url(type(obj)(pk=999), action)
    for each in (url, url.replace("999", "x/y")):
        assert admin_client.get(each).status_code == 404
        assert admin_client.post(each, FORM).status_code == 404


@every_action
def test_the_csrf_token_is_required(admin_user: User, action: str, obj: Model) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(get_url(obj, action), FORM).status_code == 403
    assert run_action(client, action, obj, **FORM).status_code == 403
    assert not is_done(obj)


@pytest.mark.parametrize("action", ["revoke", "send_again"])
def test_get_requests_do_not_run_the_actions_on_links(admin_client: Client, action: str, obj: Model) -> None:
    assert admin_client.get(get_url(obj, action)).status_code == 405
    assert not is_done(obj)


@pytest.mark.parametrize("action", ON_CUSTOMERS)
def test_customers_hidden_by_get_queryset_are_left_alone(
    admin_client: Client, fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch, action: str, obj: Model
) -> None:
    monkeypatch.setattr(CustomerAdmin, "get_queryset", lambda self, request: Customer.objects.exclude(pk=obj.pk))
    assert admin_client.post(get_url(obj, action), FORM).status_code == 404
    run_action(admin_client, action, obj, **FORM)
    assert fake.requests == []
    assert not is_done(obj)


def test_the_change_permission_is_checked_for_each_customer(
    admin_client: Client, fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch, shop: Customer, acme: Customer
) -> None:
    Customer.objects.filter(pk=acme.pk).update(currency="EUR")
    monkeypatch.setattr(CustomerAdmin, "has_change_permission", lambda self, request, obj=None: obj != shop)
    page = run_action(admin_client, "create_in_alguna", shop, acme)
    assert [each.reasons for each in page.context["wrong"]] == [["You may not change this customer."]]
    messages = run_confirmed_action(admin_client, "create_in_alguna", shop, acme)
    assert ("error", "Shop: refused. You may not change this customer.") in messages
    assert [request.body["name"] for request in fake.requests if request.method == "POST"] == ["Acme"]


def test_the_view_permission_is_checked_for_each_customer(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, customer: Customer
) -> None:
    other = Customer.objects.create(alias="other", name="Other", email="other@example.com")
    monkeypatch.setattr(CustomerAdmin, "has_view_permission", lambda self, request, obj=None: obj != customer)
    page = run_action(admin_client, "send_portal_link", customer, other)
    assert page.context["ready"].count == 1
    assert "Acme</a>: You may not view this customer." in get_text(page)
    messages = [(each.level_tag, str(each)) for each in confirm(admin_client, page).context["messages"]]
    assert messages[0] == ("success", "1 portal link sent.")
    assert messages[1] == ("warning", f"1 customer that you may not view: {render_customer(customer)}")
    assert get_recipients() == ["other@example.com"]
    assert admin_client.post(get_url(customer, "send_portal_link"), {"role": "manager"}).status_code == 403


def test_the_view_permission_is_checked_for_each_link(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, acme: Customer, umbrella: Customer
) -> None:
    link, other = create_link(acme), create_link(umbrella, recipient="else@umbrella.example")
    monkeypatch.setattr(PortalLinkAdmin, "has_view_permission", lambda self, request, obj=None: obj != other)
    run_action(admin_client, "send_again", link, other)
    run_action(admin_client, "revoke", link, other)
    states = {each.pk: each.state for each in PortalLink.objects.filter(pk__in=[link.pk, other.pk])}
    assert states == {link.pk: "revoked", other.pk: "active"}
    assert get_recipients() == ["billing@acme.example"]


@pytest.mark.parametrize("create", [create_access, create_delivery])
def test_superusers_cannot_add_change_or_delete_records(admin_client: Client, create: Callable[[], Model]) -> None:
    record = create()
    shown = get_text(admin_client.get(get_url(record)))
    assert 'name="_save"' not in shown
    assert "delete_selected" not in get_text(admin_client.get(get_list_url(type(record))))
    assert admin_client.get(get_list_url(type(record), "add")).status_code == 403
    assert admin_client.post(get_url(record), {"state": "handled", "error": "x"}).status_code == 403
    assert admin_client.post(get_url(record, "delete"), {"post": "yes"}).status_code == 403
    run_action(admin_client, "delete_selected", record, post="yes")
    stored: Any = type(record)._default_manager.get()
    assert stored.error == ""
    assert getattr(stored, "state", "waiting") == "waiting"
