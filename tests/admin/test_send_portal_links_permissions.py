"""Who may send portal links in the admin, and to which customers."""

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.test import Client

from alguna_portal.admin import CustomerAdmin
from alguna_portal.models import Customer
from alguna_portal.testing import fake_alguna
from tests.admin.test_create_in_alguna import messages
from tests.admin.test_customer import LIST, browser, change, text
from tests.admin.test_send_portal_links import act, confirm, named, page, recipients


@pytest.fixture
def shop(customer: Customer) -> Customer:
    """A customer that can be written to."""
    return customer


def test_sending_needs_no_permission_to_change_customers(stranger: User, shop: Customer) -> None:
    helper = browser(stranger, "view_customer", "send_portallink")
    with fake_alguna():
        shown = text(helper.get(change(shop)))
    assert f'<a href="{page(shop)}">Send portal link</a>' in shown
    assert "create-in-alguna" not in shown
    confirm(helper, act(helper, shop))
    assert helper.post(page(shop), {"role": "manager"}).status_code == 302
    assert recipients() == ["billing@acme.example"] * 2


@pytest.mark.parametrize("permission", ["view_customer", "change_customer"])
def test_sending_needs_its_own_permission(stranger: User, shop: Customer, permission: str) -> None:
    helper = browser(stranger, permission, "view_portallink", "revoke_portallink")
    assert "send_portal_link" not in text(helper.get(LIST))
    with fake_alguna():
        assert "send-portal-link" not in text(helper.get(change(shop)))
    act(helper, shop, confirmed="Send", role="manager")
    assert helper.get(page(shop)).status_code == 403
    assert helper.post(page(shop), {"role": "manager"}).status_code == 403
    assert helper.get(page(Customer(pk=999))).status_code == 403
    assert mail.outbox == []


def test_sending_needs_the_permission_to_view_customers(stranger: User, shop: Customer) -> None:
    helper = browser(stranger, "send_portallink")
    assert act(helper, shop, confirmed="Send", role="manager").status_code == 403
    assert helper.get(page(shop)).status_code == 403
    assert helper.post(page(shop), {"role": "manager"}).status_code == 403
    assert mail.outbox == []


def test_users_who_are_not_staff_are_redirected_to_the_login(client: Client, stranger: User, shop: Customer) -> None:
    stranger.user_permissions.set(Permission.objects.filter(codename__in=["view_customer", "send_portallink"]))
    client.force_login(stranger)
    for response in (client.get(page(shop)), client.post(page(shop)), Client().get(page(shop))):
        assert response.headers["Location"].startswith("/admin/login/")
    assert mail.outbox == []


def test_an_unknown_customer_is_not_found(admin_client: Client) -> None:
    assert admin_client.get(page(Customer(pk=999))).status_code == 404
    assert admin_client.get(page(Customer(pk=999)).replace("999", "x/y")).status_code == 404


def test_the_csrf_token_is_required(admin_user: User, shop: Customer) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(page(shop), {"role": "manager"}).status_code == 403
    assert act(client, shop, confirmed="Send", role="manager").status_code == 403
    assert mail.outbox == []


def test_the_view_permission_is_checked_for_each_customer(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, shop: Customer
) -> None:
    other = Customer.objects.create(alias="other", name="Other", email="other@example.com")
    monkeypatch.setattr(CustomerAdmin, "has_view_permission", lambda self, request, obj=None: obj != shop)
    asked = act(admin_client, shop, other)
    assert asked.context["ready"].count == 1
    assert "Acme</a>: You may not view this customer." in text(asked)
    told = messages(confirm(admin_client, asked))
    assert told[0] == ("success", "1 portal link sent.")
    assert told[1] == (
        "warning",
        f"1 customer that you may not view: {named(shop)}",
    )
    assert recipients() == ["other@example.com"]
    assert admin_client.post(page(shop), {"role": "manager"}).status_code == 403


def test_customers_hidden_by_get_queryset_get_no_email(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, shop: Customer
) -> None:
    monkeypatch.setattr(CustomerAdmin, "get_queryset", lambda self, request: Customer.objects.exclude(pk=shop.pk))
    assert admin_client.post(page(shop), {"role": "manager"}).status_code == 404
    act(admin_client, shop, confirmed="Send", role="manager")
    assert mail.outbox == []
