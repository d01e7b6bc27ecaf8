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


def test_who_may_view_customers_and_send_links_does(stranger: User, shop: Customer) -> None:
    """No right to change customers is needed."""
    helper = browser(stranger, "view_customer", "send_portallink")
    with fake_alguna():
        shown = text(helper.get(change(shop)))
    assert f'<a href="{page(shop)}">Send portal link</a>' in shown
    assert "create-in-alguna" not in shown
    confirm(helper, act(helper, shop))
    assert helper.post(page(shop), {"role": "manager"}).status_code == 302
    assert recipients() == ["billing@acme.example"] * 2


@pytest.mark.parametrize("permission", ["view_customer", "change_customer"])
def test_without_the_permission_nothing_is_sent(stranger: User, shop: Customer, permission: str) -> None:
    """No action, no button, and neither question nor mail at the address itself; not even for who may change."""
    helper = browser(stranger, permission, "view_portallink", "revoke_portallink")
    assert "send_portal_link" not in text(helper.get(LIST))
    with fake_alguna():
        assert "send-portal-link" not in text(helper.get(change(shop)))
    act(helper, shop, confirmed="Send", role="manager")
    assert helper.get(page(shop)).status_code == 403
    assert helper.post(page(shop), {"role": "manager"}).status_code == 403
    assert helper.get(page(Customer(pk=999))).status_code == 403
    assert mail.outbox == []


def test_the_permission_alone_opens_no_customer(stranger: User, shop: Customer) -> None:
    """Who may not see customers writes to none."""
    helper = browser(stranger, "send_portallink")
    assert act(helper, shop, confirmed="Send", role="manager").status_code == 403
    assert helper.get(page(shop)).status_code == 403
    assert helper.post(page(shop), {"role": "manager"}).status_code == 403
    assert mail.outbox == []


def test_those_who_are_not_staff_are_asked_to_log_in(client: Client, stranger: User, shop: Customer) -> None:
    """Permissions alone do not open the admin."""
    stranger.user_permissions.set(Permission.objects.filter(codename__in=["view_customer", "send_portallink"]))
    client.force_login(stranger)
    for response in (client.get(page(shop)), client.post(page(shop)), Client().get(page(shop))):
        assert response.headers["Location"].startswith("/admin/login/")
    assert mail.outbox == []


def test_an_unknown_customer_is_not_found(admin_client: Client) -> None:
    """The address of nobody."""
    assert admin_client.get(page(Customer(pk=999))).status_code == 404
    assert admin_client.get(page(Customer(pk=999)).replace("999", "x/y")).status_code == 404


def test_a_forged_form_sends_nothing(admin_user: User, shop: Customer) -> None:
    """Both doors want the token."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(page(shop), {"role": "manager"}).status_code == 403
    assert act(client, shop, confirmed="Send", role="manager").status_code == 403
    assert mail.outbox == []


def test_who_may_not_view_one_does_not_write_to_it(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, shop: Customer
) -> None:
    """A host that decides for each customer is asked for each customer."""
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


def test_a_host_that_hides_customers_hides_them_here(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, shop: Customer
) -> None:
    """The queryset of the admin decides."""
    monkeypatch.setattr(CustomerAdmin, "get_queryset", lambda self, request: Customer.objects.exclude(pk=shop.pk))
    assert admin_client.post(page(shop), {"role": "manager"}).status_code == 404
    act(admin_client, shop, confirmed="Send", role="manager")
    assert mail.outbox == []
