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


def test_the_action_asks_first(admin_client: Client, shop: Customer, umbrella: Customer, broken: Customer) -> None:
    """Who gets mail, at a masked address, and who cannot be written to, and why; nothing is sent yet."""
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
def test_the_page_says_what_a_link_is_worth(
    admin_client: Client, settings: Settings, shop: Customer, most: int | None, said: str, zone: str
) -> None:
    """For how long, how often, and in which role; what is set is chosen to begin with."""
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


def test_confirming_sends_and_tells(admin_client: Client, shop: Customer, umbrella: Customer, broken: Customer) -> None:
    """What was sent, who has no address and what failed; the customers are named, and lead to their pages."""
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


def test_what_was_sent_stands_in_the_histories(admin_client: Client, shop: Customer, umbrella: Customer) -> None:
    """Of those who got mail, and without its address."""
    confirm(admin_client, act(admin_client, shop, umbrella))
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user.get_username(), entry.is_change()) == (str(shop.pk), "admin", True)
    assert entry.get_change_message() == "Portal link sent."


def test_mails_that_fail_are_told_by_their_kind(admin_client: Client, settings: Settings, shop: Customer) -> None:
    """Without an address, and with nothing in the history."""
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
def test_what_cannot_be_is_said_at_its_field(
    admin_client: Client, shop: Customer, umbrella: Customer, chosen: dict[str, str], wrong: str
) -> None:
    """Nothing is sent, the selection is kept, and sending can go on from there."""
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


def test_a_line_counts_as_it_does_in_browsers(admin_client: Client, shop: Customer) -> None:
    """They send two characters for the end that they count as one."""
    confirm(admin_client, act(admin_client, shop), note="n\r\n" * 499 + "nn")
    assert recipients() == [BILLING]


def test_a_selection_across_all_pages_is_kept(admin_client: Client, shop: Customer) -> None:
    """All that the filters in the address find, and no others."""
    Customer.objects.create(alias="acme-2", name="Acme two", email="two@example.com")
    Customer.objects.create(alias="bakery", name="Bakery", email="bakery@example.com")
    filtered = f"{LIST}?q=Acme"
    fields = {"action": "send_portal_link", "_selected_action": [shop.pk], "index": 0, "select_across": 1}
    asked = admin_client.post(filtered, fields)
    assert asked.context["ready"].count == 2
    assert asked.context["back"] == filtered
    admin_client.post(filtered, {**dict(asked.context["fields"]), "role": "manager", "confirmed": "Send"})
    assert recipients() == [BILLING, "two@example.com"]


def test_nobody_to_write_to_is_no_question(admin_client: Client, umbrella: Customer) -> None:
    """There is only the way back."""
    shown = text(act(admin_client, umbrella))
    assert SEND not in shown
    assert 'name="role"' not in shown
    assert f'<a href="{LIST}" class="closelink">Back</a>' in shown


def test_a_name_that_is_an_address_is_not_shown(admin_client: Client) -> None:
    """Neither where it is asked, nor in the messages."""
    customer = Customer.objects.create(alias="mia@acme.example")
    asked = act(admin_client, customer)
    assert f">customer {customer.pk}</a>" in text(asked)
    assert "mia@" not in text(asked)
    assert "mia@" not in str(messages(confirm(admin_client, asked)))


def test_html_in_names_stays_text(admin_client: Client, shop: Customer) -> None:
    """On the page, and in the messages, which hold links."""
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
def test_what_is_not_set_up_is_said(
    admin_client: Client, settings: Settings, shop: Customer, setting: str, value: str, said: str
) -> None:
    """At both doors, before a form is filled and after; the pages do not fall over it."""
    asked = act(admin_client, shop)
    setattr(settings, setting, value)
    posted = admin_client.post(page(shop), {"role": "manager"})
    for shown in (act(admin_client, shop), admin_client.get(page(shop)), confirm(admin_client, asked), posted):
        assert shown.status_code == 200
        assert said in text(shown)
        assert SEND not in text(shown)
    assert mail.outbox == []


def test_the_page_of_a_customer_leads_there(admin_client: Client, shop: Customer) -> None:
    """It asks, sends, and leads back to the page, which leads back to the list as it was filtered."""
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


def test_one_link_can_go_to_somebody_else(admin_client: Client, umbrella: Customer) -> None:
    """Also of a customer that has no address, and whose row does not get one."""
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
def test_a_recipient_that_cannot_be_is_said_at_its_field(
    admin_client: Client, umbrella: Customer, to: str, said: str
) -> None:
    """None at all, too, where the customer has none."""
    again = admin_client.post(page(umbrella), {"role": "manager", "to": to})
    assert set(again.context["form"].errors) == {"to"}
    assert said in text(again)
    assert mail.outbox == []


def test_a_mail_to_somebody_else_that_fails_is_told(admin_client: Client, settings: Settings, shop: Customer) -> None:
    """By its kind, and nothing stands in the history."""
    mail_by(settings, "tests.support.mailers.Down")
    done = admin_client.post(page(shop), {"role": "manager", "to": "tax@accountants.example"})
    assert done.status_code == 302
    with fake_alguna():
        told = messages(admin_client.get(change(shop)))
    assert told == [
        ("error", f"1 portal link failed (ConnectionRefusedError): {named(shop)}"),
    ]
    assert not LogEntry.objects.exists()


def test_an_unexpected_error_sends_nobody_else_a_mail_untold(
    admin_client: Client, shop: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is one recipient, too."""
    lost_at(monkeypatch, 1)
    admin_client.raise_request_exception = False
    posted = admin_client.post(page(shop), {"role": "manager", "to": "tax@accountants.example"})
    assert posted.status_code == 500
    told = messages(admin_client.get(LIST))
    assert told == [("error", "An unexpected error ended it: 1 portal link was not sent, as far as is known.")]
    assert (mail.outbox, LogEntry.objects.exists()) == ([], False)
