"""“Send portal link”: the confirmation page, its form, sent links, and the page of one customer."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.test import Client
from pytest_django import Settings

from alguna_portal.models import Customer, PortalLink
from tests.support.admin import (
    confirm,
    fail_at_call,
    get_list_url,
    get_messages,
    get_recipients,
    get_text,
    get_url,
    render_customer,
    run_action,
    run_confirmed_action,
)
from tests.support.mailers import use_email_backend

LIST = get_list_url(Customer)
BILLING = "billing@acme.example"
OTHER_RECIPIENT = {"role": "manager", "to": "tax@accountants.example"}
BUTTON = '<input type="submit" class="default" name="confirmed"'

pytestmark = pytest.mark.usefixtures("fake_with_all_customers")


@pytest.fixture
def broken(db: None) -> Customer:
    """A customer with a malformed email address."""
    return Customer.objects.create(alias="broken-3", name="Broken", email="no address")


def test_the_confirmation_page_lists_recipients_and_sends_nothing(
    admin_client: Client, customer: Customer, umbrella: Customer, broken: Customer
) -> None:
    page = run_action(admin_client, "send_portal_link", customer, umbrella, broken)
    shown = get_text(page)
    assert "<h2>1 customer gets mail</h2>" in shown
    assert f"{render_customer(customer)}: b…@acme.example</li>" in shown
    assert "<h2>2 customers cannot be written to</h2>" in shown
    assert f"{render_customer(umbrella)}: The customer has no e-mail address.</li>" in shown
    assert f"{render_customer(broken)}: The customer's e-mail address is malformed.</li>" in shown
    assert BILLING not in shown
    assert "csrfmiddlewaretoken" in shown.split('id="content-main"')[1]
    assert shown.split("breadcrumbs")[1].split("</nav>")[0].count("Send portal link") == 1
    assert 'name="to"' not in shown
    assert (mail.outbox, PortalLink.objects.count()) == ([], 0)


@pytest.mark.parametrize("zone", ["CET", ""])
@pytest.mark.parametrize(
    ("most", "text"), [(None, "and as often as one likes."), (1, "and once."), (3, "and 3 times.")]
)
def test_the_confirmation_page_shows_lifetime_uses_and_role(
    admin_client: Client, settings: Settings, customer: Customer, most: int | None, text: str, zone: str
) -> None:
    settings.ALGUNA_PORTAL_LINK_MAX_AGE = 3 * 24 * 60 * 60
    settings.ALGUNA_PORTAL_LINK_MAX_USES = most
    settings.ALGUNA_PORTAL_LINK_ROLE = "viewer"
    settings.TIME_ZONE = "Europe/Berlin"
    settings.USE_TZ = bool(zone)
    with time_machine.travel(datetime(2026, 1, 5, 10, 20, tzinfo=ZoneInfo("Europe/Berlin")), tick=False):
        shown = " ".join(get_text(run_action(admin_client, "send_portal_link", customer)).split())
    ends = f"Jan. 8, 2026, 10:20 a.m.{' (CET)' if zone else ''}"
    assert f"no account is needed. It works for 3 days, until {ends}, {text} The mail is sent" in shown
    assert "A viewer's link only shows" in shown
    checked = [field for field in shown.split("<input ") if "checked" in field]
    assert len(checked) == 1
    assert 'value="viewer"' in checked[0]
    assert "<legend>Role:</legend>" in shown
    assert "The mail is sent while you wait." in shown


def test_confirming_sends_the_links_and_reports_failures(
    admin_client: Client, customer: Customer, umbrella: Customer, broken: Customer
) -> None:
    Customer.objects.create(alias="third-3", name="Third", email="third@example.com")
    page = run_action(admin_client, "send_portal_link", *Customer.objects.all())
    done = confirm(admin_client, page, role="viewer", note="Your card\r\nhas expired.")
    assert get_messages(done) == [
        ("success", "2 portal links sent."),
        ("warning", f"1 customer has no e-mail address: {render_customer(umbrella)}"),
        ("error", f"1 portal link failed (malformed e-mail address): {render_customer(broken)}"),
    ]
    assert f"{render_customer(umbrella)}</li>" in done.content.decode()
    assert get_recipients() == [BILLING, "third@example.com"]
    for link in PortalLink.objects.all():
        assert (link.role, link.note) == ("viewer", "Your card\nhas expired.")
        assert link.sent_by
        assert (link.sent_by.get_username(), link.state) == ("admin", "active")
    assert "has expired." in str(mail.outbox[0].body)


def test_sent_links_get_a_history_entry(admin_client: Client, customer: Customer, umbrella: Customer) -> None:
    run_confirmed_action(admin_client, "send_portal_link", customer, umbrella)
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user.get_username(), entry.is_change()) == (str(customer.pk), "admin", True)
    assert entry.get_change_message() == "Portal link sent."


def test_failed_emails_are_grouped_by_error(admin_client: Client, settings: Settings, customer: Customer) -> None:
    use_email_backend(settings, "tests.support.mailers.RefusingBackend")
    for name in ("refused", "dropped", "refused2"):
        Customer.objects.create(alias=name, name=name, email=f"{name}@example.com")
    messages = run_confirmed_action(admin_client, "send_portal_link", *Customer.objects.all())
    assert [level for level, _text in messages] == ["success", "error", "error"]
    assert messages[1][1].startswith("2 portal links failed (SMTPRecipientsRefused): ")
    assert ">refused</a>, <a " in messages[1][1]
    assert messages[2][1].startswith("1 portal link failed (SMTPServerDisconnected): ")
    assert "@" not in str(messages)
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("chosen", "wrong"),
    [({"role": "owner"}, "role"), ({"role": ""}, "role"), ({"note": "n" * 1001}, "note")],
)
def test_invalid_input_is_a_field_error_and_keeps_the_selection(
    admin_client: Client, customer: Customer, umbrella: Customer, chosen: dict[str, str], wrong: str
) -> None:
    page = run_action(admin_client, "send_portal_link", customer, umbrella)
    again = confirm(admin_client, page, **chosen)
    assert set(again.context["form"].errors) == {wrong}
    shown = get_text(again)
    assert "Please correct the error below." in shown
    (row,) = [row for row in shown.split('<div class="form-row')[1:] if "errorlist" in row]
    assert row.startswith(" errors")
    assert f'aria-describedby="id_{wrong}_helptext' in row
    assert again.context["fields"] == page.context["fields"]
    assert mail.outbox == []
    confirm(admin_client, again)
    assert get_recipients() == [BILLING]


def test_a_line_break_counts_as_one_character(admin_client: Client, customer: Customer) -> None:
    confirm(admin_client, run_action(admin_client, "send_portal_link", customer), note="n\r\n" * 499 + "nn")
    assert get_recipients() == [BILLING]


def test_a_selection_across_all_pages_keeps_the_filters(admin_client: Client, customer: Customer) -> None:
    Customer.objects.create(alias="acme-2", name="Acme two", email="two@example.com")
    Customer.objects.create(alias="bakery", name="Bakery", email="bakery@example.com")
    page = run_action(admin_client, "send_portal_link", customer, query="?q=Acme", select_across=1)
    assert page.context["ready"].count == 2
    assert page.context["back"] == f"{LIST}?q=Acme"
    admin_client.post(f"{LIST}?q=Acme", {**dict(page.context["fields"]), "role": "manager", "confirmed": "Send"})
    assert get_recipients() == [BILLING, "two@example.com"]


def test_without_recipients_there_is_only_a_back_link(admin_client: Client, umbrella: Customer) -> None:
    shown = get_text(run_action(admin_client, "send_portal_link", umbrella))
    assert BUTTON not in shown
    assert 'name="role"' not in shown
    assert f'<a href="{LIST}" class="closelink">Back</a>' in shown


def test_an_alias_that_is_an_email_address_is_not_shown(admin_client: Client) -> None:
    customer = Customer.objects.create(alias="mia@acme.example")
    page = run_action(admin_client, "send_portal_link", customer)
    assert f">customer {customer.pk}</a>" in get_text(page)
    assert "mia@" not in get_text(page)
    assert "mia@" not in str(get_messages(confirm(admin_client, page)))


def test_names_are_escaped(admin_client: Client, customer: Customer) -> None:
    bold = Customer.objects.create(alias="b", name="<b>Bold</b>")
    page = run_action(admin_client, "send_portal_link", customer, bold)
    assert b"<b>Bold" not in page.content
    assert b"<b>Bold" not in confirm(admin_client, page).content


@pytest.mark.parametrize(
    ("setting", "value", "text"),
    [
        ("ALGUNA_PORTAL_SITE_URL", "", "ALGUNA_PORTAL_SITE_URL is not set."),
        ("ALGUNA_PORTAL_LINK_ROLE", "owner", "ALGUNA_PORTAL_LINK_ROLE"),
        ("ALGUNA_PORTAL_LINK_MAX_AGE", "long", "ALGUNA_PORTAL_LINK_MAX_AGE"),
        ("ROOT_URLCONF", "tests.urls_admin", "include “alguna_portal.urls” in its URLs."),
    ],
)
def test_invalid_settings_are_shown_instead_of_the_form(
    admin_client: Client, settings: Settings, customer: Customer, setting: str, value: str, text: str
) -> None:
    page = run_action(admin_client, "send_portal_link", customer)
    setattr(settings, setting, value)
    url = get_url(customer, "send_portal_link")
    posted = admin_client.post(url, {"role": "manager"})
    selected = run_action(admin_client, "send_portal_link", customer)
    for shown in (selected, admin_client.get(url), confirm(admin_client, page), posted):
        assert shown.status_code == 200
        assert text in get_text(shown)
        assert BUTTON not in get_text(shown)
    assert mail.outbox == []


def test_one_link_is_sent_from_the_change_page(admin_client: Client, customer: Customer) -> None:
    filters = "?_changelist_filters=q%3DAcme"
    url, change_url = get_url(customer, "send_portal_link"), get_url(customer)
    shown = get_text(admin_client.get(change_url + filters))
    assert f'<a href="{url}{filters}">Send portal link</a>' in shown
    page = admin_client.get(url + filters)
    assert "b…@acme.example" in get_text(page)
    assert page.context["back"] == change_url + filters
    done = admin_client.post(url + filters, {"role": "manager", "note": ""})
    assert done.headers["Location"] == change_url + filters
    assert get_messages(admin_client.get(change_url)) == [("success", "1 portal link sent.")]
    assert get_recipients() == [BILLING]


def test_one_link_can_have_another_recipient(admin_client: Client, umbrella: Customer) -> None:
    assert f'{BUTTON} value="Send portal link">' in get_text(admin_client.get(get_url(umbrella, "send_portal_link")))
    admin_client.post(get_url(umbrella, "send_portal_link"), {"role": "viewer", "to": "tax@accountants.example"})
    assert get_recipients() == ["tax@accountants.example"]
    link = PortalLink.objects.get()
    assert link.sent_by
    assert (link.customer, link.role, link.sent_by.get_username()) == (umbrella, "viewer", "admin")
    assert LogEntry.objects.get().object_id == str(umbrella.pk)
    umbrella.refresh_from_db()
    assert umbrella.email == ""


@pytest.mark.parametrize(
    ("to", "text"),
    [
        ("", "The customer has no e-mail address."),
        ("nobody", "Enter a valid email address."),
        (f"{'a' * 250}@example.com", "Ensure this value has at most 254 characters"),
    ],
)
def test_an_invalid_recipient_is_a_field_error(admin_client: Client, umbrella: Customer, to: str, text: str) -> None:
    again = admin_client.post(get_url(umbrella, "send_portal_link"), {"role": "manager", "to": to})
    assert set(again.context["form"].errors) == {"to"}
    assert text in get_text(again)
    assert mail.outbox == []


def test_a_failed_email_to_another_recipient_is_reported(
    admin_client: Client, settings: Settings, customer: Customer
) -> None:
    use_email_backend(settings, "tests.support.mailers.UnreachableBackend")
    done = admin_client.post(get_url(customer, "send_portal_link"), OTHER_RECIPIENT)
    assert done.status_code == 302
    messages = get_messages(admin_client.get(get_url(customer)))
    assert messages == [("error", f"1 portal link failed (ConnectionRefusedError): {render_customer(customer)}")]
    assert not LogEntry.objects.exists()


def test_an_unexpected_error_with_another_recipient_is_reported(
    failing_client: Client, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at_call(monkeypatch, PortalLink, "save", 1)
    posted = failing_client.post(get_url(customer, "send_portal_link"), OTHER_RECIPIENT)
    assert posted.status_code == 500
    messages = get_messages(failing_client.get(LIST))
    assert messages == [("error", "An unexpected error ended it: 1 portal link was not sent, as far as is known.")]
    assert (mail.outbox, LogEntry.objects.exists()) == ([], False)
