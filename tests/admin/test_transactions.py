"""The admin with ATOMIC_REQUESTS: actions that call Alguna or send emails run outside of transactions."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import resolve

from alguna_portal.admin import CustomerAdmin, PortalLinkAdmin, create_in_alguna, portal_link, send_portal_links
from alguna_portal.customers import provision
from alguna_portal.links import send_again, send_links
from alguna_portal.models import Customer, PortalLink
from tests.support.admin import confirm, create_link, get_list_url, get_url, run_action

LIST = get_list_url(Customer)
LINKS = get_list_url(PortalLink)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake", "failing_messages")]


@pytest.fixture(autouse=True)
def _atomic_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that runs each request in a transaction."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


@pytest.fixture
def shops(db: None) -> list[Customer]:
    """Two customers that can be created in Alguna and get an email."""
    return Customer.objects.bulk_create(
        Customer(alias=f"shop-{number}", name=f"Shop {number}", currency="EUR", email=f"{number}@shop.example")
        for number in range(2)
    )


class Oops(Exception):
    """An error after the action's effect."""


@pytest.fixture
def in_transaction(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Record for each created customer and each sent link whether a transaction was open."""
    seen: list[bool] = []

    def recording(function: Any) -> Any:
        def recorded(*args: Any, **kwargs: Any) -> Any:
            seen.append(connection.in_atomic_block)
            return function(*args, **kwargs)

        return recorded

    monkeypatch.setattr(create_in_alguna, "provision", recording(provision))
    monkeypatch.setattr(portal_link, "send_again", recording(send_again))
    monkeypatch.setattr(send_portal_links, "send_links", recording(send_links))
    return seen


@pytest.fixture
def failing_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail when an action shows its messages, which is the last step."""

    def fail(self: Any, *args: Any, **kwargs: Any) -> None:
        raise Oops

    for each in (CustomerAdmin, PortalLinkAdmin):
        monkeypatch.setattr(each, "message_user", fail)


def test_the_action_creates_customers_outside_of_a_transaction(
    admin_client: Client, shops: list[Customer], in_transaction: list[bool]
) -> None:
    page = run_action(admin_client, "create_in_alguna", *shops)
    with pytest.raises(Oops):
        confirm(admin_client, page)
    assert in_transaction == [False, False]
    assert not Customer.objects.filter(customer_id=None).exists()
    assert LogEntry.objects.count() == 2


def test_the_object_page_creates_a_customer_outside_of_a_transaction(
    admin_client: Client, shops: list[Customer], in_transaction: list[bool]
) -> None:
    with pytest.raises(Oops):
        admin_client.post(get_url(shops[0], "create_in_alguna"), {"confirmed": "Yes"})
    assert in_transaction == [False]
    assert Customer.objects.exclude(customer_id=None).get() == shops[0]


def test_links_are_sent_outside_of_a_transaction(
    admin_client: Client, shops: list[Customer], in_transaction: list[bool]
) -> None:
    page = run_action(admin_client, "send_portal_link", *shops)
    with pytest.raises(Oops):
        confirm(admin_client, page)
    with pytest.raises(Oops):
        admin_client.post(get_url(shops[0], "send_portal_link"), {"role": "viewer", "confirmed": "Send"})
    assert in_transaction == [False, False]
    assert (len(mail.outbox), PortalLink.objects.exclude(sent_at=None).count()) == (3, 3)


def test_links_are_sent_again_outside_of_a_transaction(
    admin_client: Client, shops: list[Customer], in_transaction: list[bool]
) -> None:
    link = create_link(shops[0])
    with pytest.raises(Oops):
        run_action(admin_client, "send_again", link)
    with pytest.raises(Oops):
        admin_client.post(get_url(link, "send_again"))
    assert in_transaction == [False, False]
    assert (len(mail.outbox), PortalLink.objects.count()) == (2, 3)


def test_revoked_links_stay_revoked_after_an_error(admin_client: Client, shops: list[Customer]) -> None:
    first, second = create_link(shops[0]), create_link(shops[1])
    with pytest.raises(Oops):
        run_action(admin_client, "revoke", first)
    with pytest.raises(Oops):
        admin_client.post(get_url(second, "revoke"))
    assert not PortalLink.objects.filter(revoked_at=None).exists()


@pytest.mark.parametrize("address", [LIST, LINKS])
def test_other_actions_run_in_a_transaction(admin_client: Client, shops: list[Customer], address: str) -> None:
    link = create_link(shops[0])
    chosen = shops[0] if address == LIST else link
    fields = {"action": "delete_selected", "_selected_action": chosen.pk, "post": "yes"}
    with pytest.raises(Oops):
        admin_client.post(address, fields)
    assert type(chosen).objects.filter(pk=chosen.pk).exists()
    assert not LogEntry.objects.exists()


def test_without_atomic_requests_there_is_no_transaction(
    admin_client: Client, shops: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", False)
    with pytest.raises(Oops):
        admin_client.post(LIST, {"action": "delete_selected", "_selected_action": shops[0].pk, "post": "yes"})
    assert list(Customer.objects.all()) == shops[1:]


def test_only_pages_that_call_alguna_or_send_emails_are_non_atomic(shops: list[Customer]) -> None:
    link = create_link(shops[0])
    pages = [get_url(shops[0], "create_in_alguna"), get_url(shops[0], "send_portal_link"), get_url(link, "revoke")]
    for address in (*pages, LIST, LINKS):
        assert resolve(address).func._non_atomic_requests == {"default"}  # type: ignore[attr-defined]
    for address in (f"{LIST}add/", f"{LIST}{shops[0].pk}/change/", f"{LINKS}{link.pk}/delete/"):
        assert not hasattr(resolve(address).func, "_non_atomic_requests")
