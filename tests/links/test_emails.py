"""The mail that carries a link: to whom, in which words, and what becomes of many."""

import pickle
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from unittest.mock import patch

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core import mail
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.test import Client
from django.utils import timezone, translation
from pytest_django import Settings

from alguna_portal.links import LinkNotSent, SendResult, get_link_url, send_again, send_link, send_links
from alguna_portal.models import Customer, PortalLink
from alguna_portal.signals import link_sent
from tests.support import mailers
from tests.support.emails import BILLING, SITE, html_of, path, sent, text

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_a_link_is_mailed_to_the_customers_address(customer: Customer, settings: Settings) -> None:
    """As text and as HTML, both with the link, which begins with the site's own address."""
    settings.ALGUNA_PORTAL_SUPPORT_CONTACT = "help@example.com"
    with time_machine.travel(NOW, tick=False), timezone.override(UTC):
        link = send_link(customer, note="Your card has expired.")
    (message,) = sent()
    url = get_link_url(link)
    assert url.startswith(f"{SITE}/billing/link/")
    assert message.to == [BILLING]
    assert message.subject == "Billing of Acme: your link"
    assert message.reply_to == ["help@example.com"]
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"
    for body in (str(message.body), unescape(html_of(message))):
        assert url in body
        assert "Your card has expired." in body
        assert "billing of Acme" in body.replace("Billing", "billing")
        assert "Nov. 28, 2026, noon (UTC)" in body
        assert "help@example.com" in body
    assert (link.state, link.sent_at, link.expires_at) == ("active", NOW, NOW + timedelta(days=7))
    assert (link.role, link.recipient, link.uses, link.max_uses, link.sent_by) == ("manager", BILLING, 0, None, None)


def test_the_text_is_readable_in_a_plain_mail_program(customer: Customer) -> None:
    """The address stands on a line of its own, lines are short, and no HTML is in it."""
    customer.name = "Tom & Jerry's <Pottery>"
    link = send_link(customer)
    body = str(sent()[0].body)
    assert f"\n\n{get_link_url(link)}\n\n" in body
    assert "Tom & Jerry's <Pottery>" in body
    assert "\n\n\n\n" not in body
    assert all(len(line) <= 120 for line in body.splitlines())
    assert body.endswith("-- \napp.example.com\n")


def test_html_in_names_and_notes_stays_text(customer: Customer) -> None:
    """In the mail as on the page."""
    customer.name = "<script>alert(1)</script>"
    customer.save()
    link = send_link(customer, note="<img src=x>\nline two")
    page = html_of(sent()[0])
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert "line two" in page
    assert "<script>alert" not in Client().get(path(link)).content.decode()


@pytest.mark.parametrize("name", ["Acme\r\nBcc: eve@evil.example", "Acme\nX: y", "Acme\u2028Bcc: x", "A\x00cme"])
def test_a_name_cannot_add_headers(customer: Customer, name: str) -> None:
    """Its lines become one."""
    customer.name = name
    send_link(customer)
    message = sent()[0].message()
    assert message["Bcc"] is None
    assert message["X"] is None
    assert sent()[0].recipients() == [BILLING]


def test_a_customer_without_a_name_is_written_to_all_the_same(customer: Customer) -> None:
    """The alias is no name: it may be anything."""
    customer.name = ""
    customer.save()
    link = send_link(customer)
    assert sent()[0].subject == "Billing: your link"
    shown = text(Client().get(path(link)))
    for said in (str(sent()[0].body), html_of(sent()[0]), shown):
        assert "acme-1" not in said.replace(get_link_url(link), "")
    assert "Your billing" in shown


def test_the_mail_speaks_the_language_that_is_active(customer: Customer) -> None:
    """At least where Django translates: the date."""
    with time_machine.travel(NOW, tick=False), translation.override("de"):
        send_link(customer)
    assert "28. November 2026" in str(sent()[0].body)
    assert 'lang="de"' in html_of(sent()[0])


def test_a_viewers_link_says_so(customer: Customer) -> None:
    """Nothing is promised that the portal will not do."""
    link = send_link(customer, role="viewer")
    for said in (str(sent()[0].body), html_of(sent()[0]), text(Client().get(path(link)))):
        assert "change how you pay" not in said
    send_link(customer)
    assert "change how you pay" in str(sent()[1].body)


def test_another_recipient_and_the_sender_are_kept(customer: Customer, stranger: User) -> None:
    """For the accountant, say; the customer's own address does not change."""
    link = send_link(customer, to="tax@accountants.example", sent_by=stranger)
    assert (link.recipient, link.sent_by) == ("tax@accountants.example", stranger)
    assert sent()[0].to == ["tax@accountants.example"]
    customer.refresh_from_db()
    assert customer.email == BILLING


@pytest.mark.parametrize(
    ("change", "arguments", "wrong"),
    [
        ({"email": ""}, {}, ("to", "The customer has no e-mail address.")),
        ({}, {"to": ""}, ("to", "The customer has no e-mail address.")),
        ({}, {"to": "nobody"}, ("to", "Enter a valid email address.")),
        ({}, {"to": "a@b.example, c@d.example"}, ("to", "Enter a valid email address.")),
        (
            {},
            {"to": f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.example"},
            ("to", "Ensure this value has at most 254 characters (it has 312)."),
        ),
        ({}, {"to": "a@b.example\nBcc: c@d.example"}, ("to", "Enter a valid email address.")),
        ({}, {"role": "owner"}, ("role", "There is no role “owner”; the roles are manager, viewer.")),
        ({}, {"note": "n" * 1001}, ("note", "Ensure this value has at most 1000 characters (it has 1001).")),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    customer: Customer, change: dict[str, str], arguments: dict[str, Any], wrong: tuple[str, str]
) -> None:
    """By name, and no mail is sent."""
    for name, value in change.items():
        setattr(customer, name, value)
    with pytest.raises(ValidationError) as caught:
        send_link(customer, **arguments)
    assert caught.value.message_dict == {wrong[0]: [wrong[1]]}
    assert (PortalLink.objects.count(), mail.outbox) == (0, [])


def test_a_customer_without_a_row_has_no_links() -> None:
    """The row is what the link names."""
    with pytest.raises(ValidationError) as caught:
        send_link(Customer(alias="org-7", email=BILLING))
    assert caught.value.message_dict == {"customer": ["Save the customer first: a link names its row."]}


def test_without_a_site_url_nothing_is_made(settings: Settings, customer: Customer) -> None:
    """It is never guessed from a request."""
    settings.ALGUNA_PORTAL_SITE_URL = ""
    with pytest.raises(ImproperlyConfigured, match="ALGUNA_PORTAL_SITE_URL is not set"):
        send_link(customer)
    assert PortalLink.objects.count() == 0


def test_a_requests_host_never_gets_into_a_mail(link: PortalLink, settings: Settings) -> None:
    """Not even when a new link is asked for under another host's name."""
    settings.ALLOWED_HOSTS = ["*"]
    with time_machine.travel(datetime.now(UTC) + timedelta(days=8)):
        Client(headers={"Host": "evil.example"}).post(path(link), {"renew": "1"})
    assert len(sent()) == 2
    assert "evil.example" not in str(sent()[1].body) + html_of(sent()[1])


def test_listeners_hear_of_each_mail(customer: Customer) -> None:
    """With the link's row."""
    heard: list[PortalLink] = []

    def listen(sender: Any, link: PortalLink, **_: Any) -> None:
        heard.append(link)

    link_sent.connect(listen)
    try:
        link = send_link(customer)
    finally:
        link_sent.disconnect(listen)
    assert heard == [link]


def test_many_are_mailed_over_one_connection_and_none_stops_the_others(
    settings: Settings, customer: Customer, umbrella: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    """What was sent, what failed and who has no address is reported; nothing is left of what failed."""
    mailers.mail_by(settings, "tests.support.mailers.Picky")
    mailers.Picky.opened = 0
    refused = Customer.objects.create(alias="r", email="refused@example.com")
    dropped = Customer.objects.create(alias="d", email="dropped@example.com")
    malformed = Customer.objects.create(alias="m", email="no address")
    last = Customer.objects.create(alias="l", email="last@example.com")
    posted = send_links([customer, refused, umbrella, dropped, malformed, last])
    assert [link.customer for link in posted.sent] == [customer, last]
    assert posted.failed == [
        (malformed, "ValidationError"),
        (refused, "SMTPRecipientsRefused"),
        (dropped, "SMTPServerDisconnected"),
    ]
    assert posted.skipped == [umbrella]
    assert [link.customer for link in PortalLink.objects.order_by("pk")] == [customer, last]
    assert "could not be mailed (SMTPRecipientsRefused)" in caplog.text
    assert "@" not in caplog.text


def test_one_connection_serves_all(settings: Settings, customer: Customer) -> None:
    """As long as nothing goes wrong."""
    mailers.mail_by(settings, "tests.support.mailers.Picky")
    mailers.Picky.opened = 0
    assert len(send_links([customer] * 5).sent) == 5
    assert mailers.Picky.opened == 1


def test_a_mail_server_that_is_not_there_is_reported(
    settings: Settings, customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    """For one as an exception, which shows no address; and no link is left that nobody has."""
    mailers.mail_by(settings, "tests.support.mailers.Down")
    said = rf"customer {customer.pk} could not be mailed \(ConnectionRefusedError\)"
    with pytest.raises(LinkNotSent, match=said) as caught:
        send_link(customer)
    assert pickle.loads(pickle.dumps(caught.value)).failure == "ConnectionRefusedError"
    assert PortalLink.objects.count() == 0
    assert "could not be mailed (ConnectionRefusedError)" in caplog.text
    assert "@" not in caplog.text


def test_a_mail_server_that_is_not_there_is_waited_for_once(settings: Settings, customer: Customer) -> None:
    """Not by each of five hundred."""
    mailers.mail_by(settings, "tests.support.mailers.Down")
    mailers.Down.asked = 0
    assert [failure for _, failure in send_links([customer] * 5).failed] == ["ConnectionRefusedError"] * 5
    assert mailers.Down.asked == 1


def test_a_mail_server_that_does_not_answer_in_time_is_waited_for_once(settings: Settings, customer: Customer) -> None:
    """It lets one in, and then says nothing."""
    mailers.mail_by(settings, "tests.support.mailers.Hanging")
    mailers.Hanging.asked = 0
    assert [failure for _, failure in send_links([customer] * 5).failed] == ["TimeoutError"] * 5
    assert mailers.Hanging.asked == 1


def test_a_link_that_is_deleted_while_it_is_mailed_stops_nobody(settings: Settings, customer: Customer) -> None:
    """The mail is out; and a connection that cannot even be closed is left alone."""
    mailers.mail_by(settings, "tests.support.mailers.Deleting")
    posted = send_links([customer] * 2)
    assert (len(posted.sent), len(mail.outbox), PortalLink.objects.count()) == (2, 2, 0)


@pytest.mark.django_db(transaction=True)
def test_a_customer_that_is_deleted_meanwhile_stops_nobody(customer: Customer, umbrella: Customer) -> None:
    """Its link cannot be saved, and is not mailed."""
    umbrella.email = "billing@umbrella.example"
    Customer.objects.filter(pk=customer.pk).delete()
    posted = send_links([customer, umbrella])
    assert [link.customer for link in posted.sent] == [umbrella]
    assert posted.failed == [(customer, "IntegrityError")]
    assert len(mail.outbox) == 1


def test_when_time_is_up_no_other_mail_is_begun(settings: Settings, customer: Customer, umbrella: Customer) -> None:
    """Who was not tried is named, and has no link."""
    clock = iter([0.0, 14.9, 15.0])
    with patch("alguna_portal.links.sending.monotonic", lambda: next(clock)):
        umbrella.email = "billing@umbrella.example"
        posted = send_links([customer, umbrella], within=15)
    assert [link.customer for link in posted.sent] == [customer]
    assert posted.untried == [umbrella]
    assert PortalLink.objects.count() == 1
    assert send_again(posted.sent, within=0).untried == [customer]


@pytest.mark.parametrize("again", [False, True])
def test_whoever_hands_in_an_account_has_it_filled(customer: Customer, stranger: User, *, again: bool) -> None:
    """Whatever ends the run; and it names the sender, and no note that nobody wrote."""
    link = send_link(customer)
    mine = SendResult()
    if again:
        assert send_again([link], sent_by=stranger, result=mine) is mine
    else:
        assert send_links([customer], sent_by=stranger, result=mine) is mine
    assert [(each.customer, each.sent_by, each.note) for each in mine.sent] == [(customer, stranger, "")]


def test_links_are_sent_again_over_one_connection(settings: Settings, customer: Customer, stranger: User) -> None:
    """As new ones, to the same recipients, in the same roles, with the same notes."""
    first = [send_link(customer, role="viewer", note="Hello."), send_link(customer, to="tax@accountants.example")]
    mailers.mail_by(settings, "tests.support.mailers.Picky")
    mailers.Picky.opened = 0
    posted = send_again(first, sent_by=stranger)
    assert [(link.recipient, link.role, link.note, link.sent_by) for link in posted.sent] == [
        (BILLING, "viewer", "Hello.", stranger),
        ("tax@accountants.example", "manager", "", stranger),
    ]
    assert mailers.Picky.opened == 1
    assert PortalLink.objects.count() == 4


@pytest.mark.parametrize("name", ["خ\u200cخ", "👩\u200d🚀 Space"])
def test_a_name_keeps_the_joiners_that_belong_to_it(customer: Customer, name: str) -> None:
    """They are no line breaks."""
    customer.name = name
    send_link(customer)
    assert name in sent()[0].subject


def test_a_mail_backend_that_is_misspelt_is_reported(settings: Settings, customer: Customer) -> None:
    """As any other failure; Django 6.1 has a name of its own for it."""
    mailers.mail_by(settings, "tests.support.mailers.Nowhere")
    assert send_links([customer]).failed in ([(customer, "ImportError")], [(customer, "InvalidMailer")])


def test_a_role_that_does_not_exist_is_no_recipients_failure(customer: Customer) -> None:
    """It would be wrong for each of them."""
    with pytest.raises(ValidationError, match="There is no role"):
        send_links([customer], role="owner")


def test_nobody_to_write_to_is_no_error(settings: Settings) -> None:
    """Not even without a site's address."""
    settings.ALGUNA_PORTAL_SITE_URL = ""
    assert send_links([]).sent == []


def test_the_connection_is_closed_where_the_run_breaks_off(
    settings: Settings, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away between two mails."""
    mailers.mail_by(settings, "tests.support.mailers.Picky")
    closed: list[bool] = []
    monkeypatch.setattr(mailers.Picky, "close", lambda self: closed.append(self.connected))
    saves = iter([PortalLink.save])

    def save(self: PortalLink, **options: Any) -> None:
        next(saves)(self, **options)

    monkeypatch.setattr(PortalLink, "save", save)
    with pytest.raises((RuntimeError, StopIteration)):
        send_links([customer, customer])
    assert closed == [True]


def test_a_support_contact_that_cannot_be_used_is_said_before_anything_is_made(
    settings: Settings, customer: Customer
) -> None:
    """And not as a mail that failed."""
    settings.ALGUNA_PORTAL_SUPPORT_CONTACT = "the help desk"
    with pytest.raises(ImproperlyConfigured, match="SUPPORT_CONTACT"):
        send_link(customer)
    assert PortalLink.objects.count() == 0
