"""The link admin: list, page, filters and search, without keys and email addresses."""

from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from alguna_portal.links import get_link_url
from alguna_portal.models import Customer, PortalLink
from tests.support.admin import AT, create_link, get_list_url, get_rows, get_text, get_url, sign_in, unregister

LIST = get_list_url(PortalLink)

pytestmark = pytest.mark.usefixtures("fake_with_all_customers")
STATES = ["not_sent", "active", "failed", "used_up", "expired", "revoked"]


def get_cells(response: Any) -> dict[str, str]:
    """Return the cells of the only row in the changelist by column."""
    (line,) = get_text(response).split("<tbody>")[1].split("</tbody>")[0].split("<tr>")[1:]
    fields = line.split('<td class="field-')[1:]
    return {field.split('"')[0].split(" ")[0]: field.split(">", 1)[1].split("</td>")[0] for field in fields}


@pytest.fixture
def auditor(db: None) -> Client:
    """A client with only the permission to view links."""
    return sign_in(User.objects.create_user("audrey"), "view_portallink")


@pytest.fixture
def links_by_state(acme: Customer) -> dict[str, PortalLink]:
    """One link in each state."""
    past = timezone.now() - timedelta(minutes=1)
    return {
        "not_sent": create_link(acme, sent_at=None),
        "active": create_link(acme),
        "failed": create_link(acme, sent_at=None, failure="SMTPDataError"),
        "used_up": create_link(acme, uses=2, max_uses=2),
        "expired": create_link(acme, expires_at=past),
        "revoked": create_link(acme, revoked_at=past),
    }


def test_the_list_shows_a_link(auditor: Client, non_member: User, acme: Customer, settings: Settings) -> None:
    settings.TIME_ZONE = "UTC"
    create_link(
        acme, sent_by=non_member, uses=2, max_uses=3, role="viewer", created_at=AT, expires_at=AT + timedelta(days=9999)
    )
    assert get_cells(auditor.get(LIST)) == {
        "customer_name": f'<a href="{get_url(acme)}">Acme</a>',
        "masked_recipient": "b…@acme.example",
        "role": "viewer",
        "worth": '<span class="alguna-portal-state alguna-portal-active">active</span>',
        "used": "2 of 3",
        "expires_at": "July 19, 2053, 5:06 a.m.",
        "sender": "sue",
    }


def test_a_link_without_limit_and_sender(auditor: Client, acme: Customer) -> None:
    create_link(acme, uses=2)
    shown = get_cells(auditor.get(LIST))
    assert (shown["used"], shown["sender"]) == ("2", "-")


def test_names_that_are_email_addresses_are_not_shown(auditor: Client, db: None) -> None:
    sender = User.objects.create_user("mia@acme.example")
    customer = Customer.objects.create(alias="boss@acme.example")
    link = create_link(customer, sent_by=sender)
    for shown in (get_text(auditor.get(LIST)), get_text(auditor.get(get_url(link)))):
        assert f"user {sender.pk}" in shown
        assert f"customer {customer.pk}" in shown
        for address in ("mia@", "boss@", "billing@"):
            assert address not in shown


def test_each_state_has_a_label_styled_by_the_stylesheet(
    auditor: Client, links_by_state: dict[str, PortalLink]
) -> None:
    shown = get_text(auditor.get(LIST))
    labels = ["not sent yet", "active", "could not be mailed", "used up", "expired", "revoked"]
    for state, label in zip(STATES, labels, strict=True):
        assert f'<span class="alguna-portal-state alguna-portal-{state}">{label}</span>' in shown
    for response in (auditor.get(LIST), auditor.get(get_url(links_by_state["active"]))):
        assert '<link href="/static/alguna_portal/admin.css" media="all" rel="stylesheet">' in get_text(response)
        assert "style=" not in get_text(response).split('id="content"')[1]
    assert finders.find("alguna_portal/admin.css")


def test_the_error_of_a_failed_email_is_shown(auditor: Client, links_by_state: dict[str, PortalLink]) -> None:
    label = '<span class="alguna-portal-state alguna-portal-failed">could not be mailed</span>'
    assert get_cells(auditor.get(LIST, {"state": "failed"}))["worth"] == f"{label} SMTPDataError"
    shown = get_text(auditor.get(get_url(links_by_state["failed"])))
    assert "SMTPDataError" in shown.split("field-failure")[1].split("field-expires_at")[0]
    assert "SMTPDataError" not in get_text(auditor.get(get_url(links_by_state["not_sent"])))


def test_important_states_have_a_style() -> None:
    sheet = Path(str(finders.find("alguna_portal/admin.css"))).read_text()
    for state in ("active", "not_sent", "failed", "revoked"):
        assert f".alguna-portal-{state} {{" in sheet


def test_the_sender_of_a_renewal_is_the_recipient(auditor: Client, non_member: User, acme: Customer) -> None:
    first = create_link(acme, sent_by=non_member)
    renewal = create_link(acme, renews=first)
    create_link(acme, renews=first, sent_by=non_member)
    listed = get_text(auditor.get(LIST))
    senders = [each.split("</td>")[0] for each in listed.split('<td class="field-sender">')[1:]]
    assert senders == ["sue", "asked for by the recipient", "sue"]
    assert "asked for by the recipient" in get_text(auditor.get(get_url(renewal)))
    assert "asked for by the recipient" not in get_text(auditor.get(get_url(first)))


@pytest.mark.parametrize("state", STATES)
def test_links_are_filtered_by_state(auditor: Client, links_by_state: dict[str, PortalLink], state: str) -> None:
    assert get_rows(auditor.get(LIST, {"state": state})) == [links_by_state[state]]


def test_the_state_filter_and_the_model_agree(auditor: Client, acme: Customer) -> None:
    now = timezone.now()
    past, future = now - timedelta(days=1), now + timedelta(days=1)
    for sent, failure, revoked, expires, most, uses in product(
        (None, past), ("", "TimeoutError"), (None, past), (past, now, future), (None, 2), (0, 2, 3)
    ):
        create_link(
            acme, sent_at=sent, failure=failure, revoked_at=revoked, expires_at=expires, max_uses=most, uses=uses
        )
    with time_machine.travel(now, tick=False):
        states = {link.pk: link.state.value for link in PortalLink.objects.all()}
        assert set(states.values()) == set(STATES)
        for state in STATES:
            listed = {link.pk for link in get_rows(auditor.get(LIST, {"state": state}))}
            assert listed == {key for key, its in states.items() if its == state}


@pytest.mark.parametrize("query", [{"state": "lost"}, {"customer": "x"}])
def test_an_invalid_filter_value_redirects_to_the_list(auditor: Client, acme: Customer, query: dict[str, str]) -> None:
    assert auditor.get(LIST, query).headers["Location"] == f"{LIST}?e=1"


@pytest.mark.parametrize("query", ["Acm", "acme-1", "billing@acme.example", "BILLING@acme.example"])
def test_links_are_searched_by_customer_and_whole_address(
    auditor: Client, acme: Customer, umbrella: Customer, query: str
) -> None:
    link = create_link(acme)
    create_link(umbrella, recipient="else@umbrella.example")
    assert get_rows(auditor.get(LIST, {"q": query})) == [link]
    assert get_rows(auditor.get(LIST, {"q": "billing@"})) == []
    assert get_rows(auditor.get(LIST, {"q": "else@umbrella.exampl"})) == []


def test_the_number_of_queries_is_constant(auditor: Client, non_member: User) -> None:
    counts = []
    for number in range(2):
        for each in range(1 + number * 5):
            customer = Customer.objects.create(alias=f"{number}-{each}", name="C")
            create_link(customer, sent_by=User.objects.create_user(f"u{number}-{each}"))
        with CaptureQueriesContext(connection) as queries:
            auditor.get(LIST)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_page_is_read_only_and_shows_no_key_or_address(auditor: Client, non_member: User, acme: Customer) -> None:
    link = create_link(acme, sent_by=non_member, note="Your card <b>has expired</b>.")
    shown = get_text(auditor.get(get_url(link)))
    assert "Your card <b>has expired</b>." in shown
    assert b"<b>has" not in auditor.get(get_url(link)).content
    assert "b…@acme.example" in shown
    for secret in (link.key.hex, str(link.key), get_link_url(link), "billing@acme.example"):
        assert secret not in shown
        assert secret not in get_text(auditor.get(LIST))
    for button in ("alguna-portal-tool", "_save", "deletelink"):
        assert button not in shown
    assert auditor.post(get_url(link), {"role": "viewer"}).status_code == 403


def test_superusers_delete_links_but_cannot_add_or_change_them(admin_client: Client, acme: Customer) -> None:
    link = create_link(acme)
    assert "portallink/add/" not in get_text(admin_client.get(LIST))
    assert admin_client.get(get_list_url(PortalLink, "add")).status_code == 403
    assert admin_client.post(get_url(link), {"role": "viewer"}).status_code == 403
    assert "deletelink" in get_text(admin_client.get(get_url(link)))
    page = admin_client.get(get_url(link, "delete"))
    assert "billing@" not in get_text(page)
    admin_client.post(page.request["PATH_INFO"], {"post": "yes"})
    assert not PortalLink.objects.exists()


def test_a_customers_page_links_to_its_links(
    admin_client: Client, non_member: User, acme: Customer, umbrella: Customer
) -> None:
    link = create_link(acme)
    create_link(umbrella)
    url = f"{LIST}?customer={acme.pk}"
    assert f'<a href="{url}">Portal links</a>' in get_text(admin_client.get(get_url(acme)))
    assert "Portal links" not in get_text(sign_in(non_member, "view_customer").get(get_url(acme)))
    listed = admin_client.get(url)
    assert get_rows(listed) == [link]
    assert "Acme" in get_text(listed).split('id="changelist-filter"')[1]


def test_without_a_customer_admin_the_name_is_no_link(
    auditor: Client, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_link(acme)
    unregister(monkeypatch, Customer)
    shown = get_cells(auditor.get(LIST))
    assert shown["customer_name"] == "Acme"
