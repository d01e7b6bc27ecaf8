"""Users, memberships and customers that are deleted during a call to Alguna or while an email is sent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.dispatch import Signal
from django.test import Client
from django.urls import reverse

from alguna_portal.models import Customer, Membership, PortalAccess, PortalLink
from alguna_portal.signals import customer_provisioned, link_sent
from alguna_portal.testing import FakeAlguna
from tests.conftest import FakeApi
from tests.support.clients import BILLING, FORMS, sign_in
from tests.support.emails import get_link_path, get_sent_emails

# As in production: each statement is committed, and its foreign keys are checked.
pytestmark = pytest.mark.django_db(transaction=True)

GONE: dict[str, Callable[[], object]] = {
    "the user": lambda: User.objects.all().delete(),
    "the user's rights": lambda: User.objects.update(is_active=False, is_superuser=False, is_staff=False),
    "the login session": lambda: Session.objects.all().delete(),
    "the membership": lambda: Membership.objects.all().delete(),
    "the customer": lambda: Customer.objects.all().delete(),
    "the link": lambda: PortalLink.objects.all().delete(),
    "everything": lambda: [each.objects.all().delete() for each in (User, Customer, Session)],
}


@pytest.mark.parametrize("what", GONE)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("status", "expected"), [(None, (200, 302)), (503, (503,)), (404, (502,))])
def test_deletion_while_billing_calls_alguna(
    alguna: FakeApi, manager: User, form: str, what: str, status: int | None, expected: tuple[int, ...]
) -> None:
    """The request ends as usual and is recorded once; the next request is denied."""
    if status:
        alguna.fail(status, '{"detail": "no"}')
    alguna.on_request = GONE[what]
    client = sign_in(manager)
    assert client.get(BILLING, headers=FORMS[form]).status_code in expected
    (access,) = PortalAccess.objects.all()
    assert (access.user_key, access.customer_alias) == (str(manager.pk), "acme-1")
    if what != "the link":
        assert client.get(BILLING, headers=FORMS[form]).status_code in (302, 401, 403)
        assert len(alguna.requests) == 1
    superuser = sign_in(User.objects.create_superuser("boss"))
    assert superuser.get("/admin/alguna_portal/portalaccess/").status_code == 200
    assert superuser.get(f"/admin/alguna_portal/portalaccess/{access.pk}/change/").status_code == 200


@pytest.mark.parametrize("what", GONE)
@pytest.mark.parametrize(("status", "expected"), [(None, 200), (503, 503), (404, 502)])
def test_deletion_while_an_emailed_link_is_opened(
    alguna: FakeApi, link: PortalLink, what: str, status: int | None, expected: int
) -> None:
    if status:
        alguna.fail(status, '{"detail": "no"}')
    alguna.on_request = GONE[what]
    assert Client().post(get_link_path(link)).status_code == expected
    assert PortalAccess.objects.count() == 1


@contextmanager
def delete_on_signal(signal: Signal, what: str) -> Iterator[None]:
    """Delete something when the signal is first sent."""

    def go(**_: object) -> None:
        signal.disconnect(go)
        GONE[what]()

    signal.connect(go)
    yield
    signal.disconnect(go)


@pytest.fixture
def superuser(db: None) -> Client:
    """The client of a superuser."""
    return sign_in(User.objects.create_superuser("boss"))


@pytest.fixture
def two_customers(customer: Customer, umbrella: Customer) -> list[int]:
    """The keys of two customers with an email address and a currency."""
    Customer.objects.update(email="billing@acme.example", currency="EUR")
    return [customer.pk, umbrella.pk]


ADMIN = ["the user", "the user's rights", "the customer", "the link", "everything"]


@pytest.mark.parametrize("what", ADMIN)
def test_deletion_while_the_admin_creates_customers(
    empty_fake: FakeAlguna, superuser: Client, two_customers: list[int], what: str
) -> None:
    """The ids of the remaining customers are stored."""
    chosen = {"action": "create_in_alguna", "_selected_action": two_customers, "confirmed": "1"}
    with delete_on_signal(customer_provisioned, what):
        assert superuser.post("/admin/alguna_portal/customer/", chosen).status_code in (200, 302, 403)
    for customer in Customer.objects.all():
        assert customer.customer_id


@pytest.mark.parametrize("what", ADMIN)
def test_deletion_while_the_admin_sends_links(superuser: Client, two_customers: list[int], what: str) -> None:
    chosen: dict[str, Any] = {"action": "send_portal_link", "_selected_action": two_customers, "confirmed": "1"}
    with delete_on_signal(link_sent, what):
        response = superuser.post("/admin/alguna_portal/customer/", chosen | {"role": "manager", "note": ""})
    assert response.status_code in (200, 302, 403)
    assert len(get_sent_emails()) >= 1
    assert PortalLink.objects.count() <= len(get_sent_emails())


@pytest.mark.parametrize("what", ADMIN)
def test_deletion_while_the_admin_sends_a_link_again(superuser: Client, link: PortalLink, what: str) -> None:
    with delete_on_signal(link_sent, what):
        response = superuser.post(reverse("admin:alguna_portal_portallink_send_again", args=[link.pk]))
    assert response.status_code in (200, 302, 403)
    assert len(get_sent_emails()) == 2
