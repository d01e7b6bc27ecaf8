"""“Send portal link” in the admin: what is asked first, who gets mail, and what is told of it."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from alguna_portal.models import Customer, PortalLink
from alguna_portal.testing import fake_alguna
from tests.admin.test_create_in_alguna import messages
from tests.admin.test_customer import LIST, change, text
from tests.support.mailers import mail_by

BILLING = "billing@acme.example"
SEND = '<input type="submit" class="default" name="confirmed"'


@pytest.fixture
def shop(customer: Customer) -> Customer:
    """A customer that can be written to."""
    return customer


@pytest.fixture
def broken(db: None) -> Customer:
    """A customer whose address is none."""
    return Customer.objects.create(alias="broken-3", name="Broken", email="no address")


def page(customer: Customer) -> str:
    """The address of the page that asks about one customer."""
    return reverse("admin:alguna_portal_customer_send_portal_link", args=[customer.pk])


def named(customer: Customer) -> str:
    """A customer's name, leading to its page."""
    return f'<a href="{change(customer)}" class="alguna-portal-named">{customer.name}</a>'


def act(client: Client, *customers: Customer, **more: Any) -> Any:
    """Choose the action for some customers in the list."""
    fields = {"action": "send_portal_link", "_selected_action": [customer.pk for customer in customers]}
    return client.post(LIST, {**fields, "index": 0, "select_across": 0, **more})


def confirm(client: Client, asked: Any, **chosen: str) -> Any:
    """Press the button of the page that asks, with the fields that it has; follow to the next page."""
    fields: dict[str, list[str]] = {}
    for name, value in asked.context["fields"]:
        assert f'<input type="hidden" name="{name}" value="{value}">' in text(asked)
        fields.setdefault(name, []).append(value)
    filled = {"role": "manager", "note": "", "confirmed": "Send"} | chosen
    return client.post(asked.request["PATH_INFO"], {**fields, **filled}, follow=True)


def lost_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Lose the database when the row of a mail is to be written, counted from 1."""
    written = PortalLink.save
    count = 0

    def save(self: PortalLink, *args: Any, **kwargs: Any) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise OperationalError("lost")
        written(self, *args, **kwargs)

    monkeypatch.setattr(PortalLink, "save", save)


def recipients() -> list[str]:
    """Who got mail."""
    return [message.to[0] for message in mail.outbox]


def test_the_confirmation_page_lists_recipients_and_sends_nothing(
    admin_client: Client, shop: Customer, umbrella: Customer, broken: Customer
) -> None:
    asked = act(admin_client, shop, umbrella, broken)
    shown = text(asked)
    assert "<h2>1 customer gets mail</h2>" in shown
    assert f"{named(shop)}: b…@acme.example</li>" in shown
    assert "<h2>2 customers cannot be written to</h2>" in shown
    assert f"{named(umbrella)}: The customer has no e-mail address.</li>" in shown
    assert f"{named(broken)}: The customer's e-mail address is malformed.</li>" in shown
    assert BILLING not in shown
    assert "csrfmiddlewaretoken" in shown.split('id="content-main"')[1]
    assert shown.split("breadcrumbs")[1].split("</nav>")[0].count("Send portal link") == 1
    assert 'name="to"' not in shown
    assert (mail.outbox, PortalLink.objects.count()) == ([], 0)


@pytest.mark.parametrize("zone", ["CET", ""])
@pytest.mark.parametrize(
    ("most", "said"), [(None, "and as often as one likes."), (1, "and once."), (3, "and 3 times.")]
)
def test_the_confirmation_page_shows_lifetime_uses_and_role(
    admin_client: Client, settings: Settings, shop: Customer, most: int | None, said: str, zone: str
) -> None:
    settings.ALGUNA_PORTAL_LINK_MAX_AGE = 3 * 24 * 60 * 60
    settings.ALGUNA_PORTAL_LINK_MAX_USES = most
    settings.ALGUNA_PORTAL_LINK_ROLE = "viewer"
    settings.TIME_ZONE = "Europe/Berlin"
    settings.USE_TZ = bool(zone)
    with time_machine.travel(datetime(2026, 1, 5, 10, 20, tzinfo=ZoneInfo("Europe/Berlin")), tick=False):
        shown = " ".join(text(act(admin_client, shop)).split())
    ends = f"Jan. 8, 2026, 10:20 a.m.{' (CET)' if zone else ''}"
    assert f"no account is needed. It works for 3 days, until {ends}, {said} The mail is sent" in shown
    assert "A viewer's link only shows" in shown
    checked = [field for field in shown.split("<input ") if "checked" in field]
    assert len(checked) == 1
    assert 'value="viewer"' in checked[0]
    assert "<legend>Role:</legend>" in shown
    assert "The mail is sent while you wait." in shown


def test_confirming_sends_the_links_and_reports_failures(
    admin_client: Client, shop: Customer, umbrella: Customer, broken: Customer
) -> None:
    Customer.objects.create(alias="third-3", name="Third", email="third@example.com")
    asked = act(admin_client, *Customer.objects.all())
    done = confirm(admin_client, asked, role="viewer", note="Your card\r\nhas expired.")
    assert messages(done) == [
        ("success", "2 portal links sent."),
        (
            "warning",
            f"1 customer has no e-mail address: {named(umbrella)}",
        ),
        (
            "error",
            f"1 portal link failed (malformed e-mail address): {named(broken)}",
        ),
    ]
    assert f"{named(umbrella)}</li>" in done.content.decode()
    assert recipients() == [BILLING, "third@example.com"]
    for link in PortalLink.objects.all():
        assert (link.role, link.note) == ("viewer", "Your card\nhas expired.")
        assert link.sent_by
        assert (link.sent_by.get_username(), link.state) == ("admin", "active")
    assert "has expired." in str(mail.outbox[0].body)


def test_sent_links_get_a_history_entry(admin_client: Client, shop: Customer, umbrella: Customer) -> None:
    confirm(admin_client, act(admin_client, shop, umbrella))
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user.get_username(), entry.is_change()) == (str(shop.pk), "admin", True)
    assert entry.get_change_message() == "Portal link sent."


def test_failed_emails_are_grouped_by_error(admin_client: Client, settings: Settings, shop: Customer) -> None:
    mail_by(settings, "tests.support.mailers.Picky")
    for name in ("refused", "dropped", "refused2"):
        Customer.objects.create(alias=name, name=name, email=f"{name}@example.com")
    asked = act(admin_client, *Customer.objects.all())
    told = messages(confirm(admin_client, asked))
    assert [level for level, _said in told] == ["success", "error", "error"]
    assert told[1][1].startswith("2 portal links failed (SMTPRecipientsRefused): ")
    assert ">refused</a>, <a " in told[1][1]
    assert told[2][1].startswith("1 portal link failed (SMTPServerDisconnected): ")
    assert "@" not in str(told)
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("chosen", "wrong"),
    [
        ({"role": "owner"}, "role"),
        ({"role": ""}, "role"),
        ({"note": "n" * 1001}, "note"),
    ],
)
def test_invalid_input_is_a_field_error_and_keeps_the_selection(
    admin_client: Client, shop: Customer, umbrella: Customer, chosen: dict[str, str], wrong: str
) -> None:
    asked = act(admin_client, shop, umbrella)
    again = confirm(admin_client, asked, **chosen)
    assert set(again.context["form"].errors) == {wrong}
    shown = text(again)
    assert "Please correct the error below." in shown
    (row,) = [row for row in shown.split('<div class="form-row')[1:] if "errorlist" in row]
    assert row.startswith(" errors")
    assert f'aria-describedby="id_{wrong}_helptext' in row
    assert again.context["fields"] == asked.context["fields"]
    assert mail.outbox == []
    confirm(admin_client, again)
    assert recipients() == [BILLING]


def test_a_line_break_counts_as_one_character(admin_client: Client, shop: Customer) -> None:
    confirm(admin_client, act(admin_client, shop), note="n\r\n" * 499 + "nn")
    assert recipients() == [BILLING]


def test_a_selection_across_all_pages_keeps_the_filters(admin_client: Client, shop: Customer) -> None:
    Customer.objects.create(alias="acme-2", name="Acme two", email="two@example.com")
    Customer.objects.create(alias="bakery", name="Bakery", email="bakery@example.com")
    filtered = f"{LIST}?q=Acme"
    fields = {"action": "send_portal_link", "_selected_action": [shop.pk], "index": 0, "select_across": 1}
    asked = admin_client.post(filtered, fields)
    assert asked.context["ready"].count == 2
    assert asked.context["back"] == filtered
    admin_client.post(filtered, {**dict(asked.context["fields"]), "role": "manager", "confirmed": "Send"})
    assert recipients() == [BILLING, "two@example.com"]


def test_without_recipients_there_is_only_a_back_link(admin_client: Client, umbrella: Customer) -> None:
    shown = text(act(admin_client, umbrella))
    assert SEND not in shown
    assert 'name="role"' not in shown
    assert f'<a href="{LIST}" class="closelink">Back</a>' in shown


def test_an_alias_that_is_an_email_address_is_not_shown(admin_client: Client) -> None:
    customer = Customer.objects.create(alias="mia@acme.example")
    asked = act(admin_client, customer)
    assert f">customer {customer.pk}</a>" in text(asked)
    assert "mia@" not in text(asked)
    assert "mia@" not in str(messages(confirm(admin_client, asked)))


def test_names_are_escaped(admin_client: Client, shop: Customer) -> None:
    bold = Customer.objects.create(alias="b", name="<b>Bold</b>")
    asked = act(admin_client, shop, bold)
    assert b"<b>Bold" not in asked.content
    assert b"<b>Bold" not in confirm(admin_client, asked).content


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("ALGUNA_PORTAL_SITE_URL", "", "ALGUNA_PORTAL_SITE_URL is not set."),
        ("ALGUNA_PORTAL_LINK_ROLE", "owner", "ALGUNA_PORTAL_LINK_ROLE"),
        ("ALGUNA_PORTAL_LINK_MAX_AGE", "long", "ALGUNA_PORTAL_LINK_MAX_AGE"),
        ("ROOT_URLCONF", "tests.urls_admin", "include “alguna_portal.urls” in its URLs."),
    ],
)
def test_invalid_settings_are_shown_instead_of_the_form(
    admin_client: Client, settings: Settings, shop: Customer, setting: str, value: str, said: str
) -> None:
    asked = act(admin_client, shop)
    setattr(settings, setting, value)
    posted = admin_client.post(page(shop), {"role": "manager"})
    for shown in (act(admin_client, shop), admin_client.get(page(shop)), confirm(admin_client, asked), posted):
        assert shown.status_code == 200
        assert said in text(shown)
        assert SEND not in text(shown)
    assert mail.outbox == []


def test_one_link_is_sent_from_the_change_page(admin_client: Client, shop: Customer) -> None:
    filters = "?_changelist_filters=q%3DAcme"
    with fake_alguna():
        assert f'<a href="{page(shop)}{filters}">Send portal link</a>' in text(admin_client.get(change(shop) + filters))
        asked = admin_client.get(page(shop) + filters)
        assert "b…@acme.example" in text(asked)
        assert asked.context["back"] == change(shop) + filters
        done = admin_client.post(page(shop) + filters, {"role": "manager", "note": ""})
        assert done.headers["Location"] == change(shop) + filters
        assert messages(admin_client.get(change(shop))) == [("success", "1 portal link sent.")]
    assert recipients() == [BILLING]


def test_one_link_can_have_another_recipient(admin_client: Client, umbrella: Customer) -> None:
    assert f'{SEND} value="Send portal link">' in text(admin_client.get(page(umbrella)))
    admin_client.post(page(umbrella), {"role": "viewer", "to": "tax@accountants.example"})
    assert recipients() == ["tax@accountants.example"]
    link = PortalLink.objects.get()
    assert link.sent_by
    assert (link.customer, link.role, link.sent_by.get_username()) == (umbrella, "viewer", "admin")
    assert LogEntry.objects.get().object_id == str(umbrella.pk)
    umbrella.refresh_from_db()
    assert umbrella.email == ""


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("", "The customer has no e-mail address."),
        ("nobody", "Enter a valid email address."),
        (f"{'a' * 250}@example.com", "Ensure this value has at most 254 characters"),
    ],
)
def test_an_invalid_recipient_is_a_field_error(admin_client: Client, umbrella: Customer, to: str, said: str) -> None:
    again = admin_client.post(page(umbrella), {"role": "manager", "to": to})
    assert set(again.context["form"].errors) == {"to"}
    assert said in text(again)
    assert mail.outbox == []


def test_a_failed_email_to_another_recipient_is_reported(
    admin_client: Client, settings: Settings, shop: Customer
) -> None:
    mail_by(settings, "tests.support.mailers.Down")
    done = admin_client.post(page(shop), {"role": "manager", "to": "tax@accountants.example"})
    assert done.status_code == 302
    with fake_alguna():
        told = messages(admin_client.get(change(shop)))
    assert told == [
        ("error", f"1 portal link failed (ConnectionRefusedError): {named(shop)}"),
    ]
    assert not LogEntry.objects.exists()


def test_an_unexpected_error_with_another_recipient_is_reported(
    admin_client: Client, shop: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost_at(monkeypatch, 1)
    admin_client.raise_request_exception = False
    posted = admin_client.post(page(shop), {"role": "manager", "to": "tax@accountants.example"})
    assert posted.status_code == 500
    told = messages(admin_client.get(LIST))
    assert told == [("error", "An unexpected error ended it: 1 portal link was not sent, as far as is known.")]
    assert (mail.outbox, LogEntry.objects.exists()) == ([], False)
