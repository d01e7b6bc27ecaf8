"""Who may create customers in Alguna in the admin, and which."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from alguna_portal.admin import CustomerAdmin
from alguna_portal.models import Customer
from alguna_portal.testing import FakeAlguna
from tests.admin.test_create_in_alguna import act, confirm, messages, page
from tests.admin.test_create_in_alguna import fake as fake  # the fixtures
from tests.admin.test_create_in_alguna import shop as shop
from tests.admin.test_customer import LIST, change, text


@pytest.fixture
def helper(stranger: User) -> Client:
    """The browser of somebody who may only look at customers."""
    stranger.is_staff = True
    stranger.save()
    stranger.user_permissions.add(Permission.objects.get(codename="view_customer"))
    client = Client()
    client.force_login(stranger)
    return client


def test_the_view_permission_does_not_create(helper: Client, fake: FakeAlguna, shop: Customer) -> None:
    assert "create_in_alguna" not in text(helper.get(LIST))
    assert "create-in-alguna" not in text(helper.get(change(shop)))
    asked_so_far = len(fake.requests)
    act(helper, shop, confirmed="Yes")
    assert helper.get(page(shop)).status_code == 403
    assert helper.post(page(shop)).status_code == 403
    assert helper.get(page(Customer(pk=999))).status_code == 403
    assert len(fake.requests) == asked_so_far
    assert Customer.objects.get(pk=shop.pk).customer_id is None


def test_users_who_are_not_staff_are_redirected_to_the_login(client: Client, stranger: User, shop: Customer) -> None:
    stranger.user_permissions.add(Permission.objects.get(codename="change_customer"))
    client.force_login(stranger)
    for response in (client.get(page(shop)), client.post(page(shop)), Client().get(page(shop))):
        assert response.headers["Location"].startswith("/admin/login/")
    assert Customer.objects.get(pk=shop.pk).customer_id is None


def test_an_unknown_customer_is_not_found(admin_client: Client) -> None:
    assert admin_client.get(page(Customer(pk=999))).status_code == 404
    assert admin_client.get(page(Customer(pk=999)).replace("999", "x/y")).status_code == 404


def test_the_csrf_token_is_required(admin_user: User, shop: Customer) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(page(shop)).status_code == 403
    assert act(client, shop, confirmed="Yes").status_code == 403


def test_the_change_permission_is_checked_for_each_customer(
    admin_client: Client, fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch, shop: Customer, acme: Customer
) -> None:
    Customer.objects.filter(pk=acme.pk).update(currency="EUR")
    monkeypatch.setattr(CustomerAdmin, "has_change_permission", lambda self, request, obj=None: obj != shop)
    asked = act(admin_client, shop, acme)
    assert [each.reasons for each in asked.context["wrong"]] == [["You may not change this customer."]]
    assert ("error", "Shop: refused. You may not change this customer.") in messages(confirm(admin_client, asked))
    assert [request.body["name"] for request in fake.requests if request.method == "POST"] == ["Acme"]


def test_customers_hidden_by_get_queryset_are_not_created(
    admin_client: Client, fake: FakeAlguna, monkeypatch: pytest.MonkeyPatch, shop: Customer
) -> None:
    monkeypatch.setattr(CustomerAdmin, "get_queryset", lambda self, request: Customer.objects.exclude(pk=shop.pk))
    assert admin_client.post(page(shop)).status_code == 404
    act(admin_client, shop, confirmed="Yes")
    assert fake.requests == []
