"""Emails with portal links: recipients, contents, and failures while several are sent."""

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
from tests.support.emails import BILLING, SITE, get_html, get_link_path, get_sent_emails, get_text

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def use_picky_backend(settings: Settings) -> None:
    """Use an email backend that rejects some addresses and counts its connections."""
    mailers.use_email_backend(settings, "tests.support.mailers.RefusingBackend")
    mailers.RefusingBackend.opened = 0


def test_a_link_is_sent_to_the_customers_address(customer: Customer, settings: Settings) -> None:
    """As text and HTML, with a URL that begins with SITE_URL."""
    settings.ALGUNA_PORTAL_SUPPORT_CONTACT = "help@example.com"
    with time_machine.travel(NOW, tick=False), timezone.override(UTC):
        link = send_link(customer, note="Your card has expired.")
    (message,) = get_sent_emails()
    url = get_link_url(link)
    assert url.startswith(f"{SITE}/billing/link/")
    assert message.to == [BILLING]
    assert message.subject == "Billing of Acme: your link"
    assert message.reply_to == ["help@example.com"]
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"
    for body in (str(message.body), unescape(get_html(message))):
        assert url in body
        assert "Your card has expired." in body
        assert "billing of Acme" in body.replace("Billing", "billing")
        assert "Nov. 28, 2026, noon (UTC)" in body
        assert "help@example.com" in body
    assert (link.state, link.sent_at, link.expires_at) == ("active", NOW, NOW + timedelta(days=7))
    assert (link.role, link.recipient, link.uses, link.max_uses, link.sent_by) == ("manager", BILLING, 0, None, None)


def test_the_text_part_is_plain_text(customer: Customer) -> None:
    """The URL is on a line of its own, lines are short, and there is no HTML."""
    customer.name = "Tom & Jerry's <Pottery>"
    link = send_link(customer)
    body = str(get_sent_emails()[0].body)
    assert f"\n\n{get_link_url(link)}\n\n" in body
    assert "Tom & Jerry's <Pottery>" in body
    assert "\n\n\n\n" not in body
    assert all(len(line) <= 120 for line in body.splitlines())
    assert body.endswith("-- \napp.example.com\n")


def test_emails_to_customers_without_a_name(customer: Customer) -> None:
    """The alias isn't used as a name, because it may be anything."""
    customer.name = ""
    customer.save()
    link = send_link(customer)
    assert get_sent_emails()[0].subject == "Billing: your link"
    shown = get_text(Client().get(get_link_path(link)))
    for content in (str(get_sent_emails()[0].body), get_html(get_sent_emails()[0]), shown):
        assert "acme-1" not in content.replace(get_link_url(link), "")
    assert "Your billing" in shown


def test_the_email_is_in_the_active_language(customer: Customer) -> None:
    with time_machine.travel(NOW, tick=False), translation.override("de"):
        send_link(customer)
    assert "28. November 2026" in str(get_sent_emails()[0].body)
    assert 'lang="de"' in get_html(get_sent_emails()[0])


def test_a_viewers_email_mentions_no_changes(customer: Customer) -> None:
    link = send_link(customer, role="viewer")
    for content in (
        str(get_sent_emails()[0].body),
        get_html(get_sent_emails()[0]),
        get_text(Client().get(get_link_path(link))),
    ):
        assert "change how you pay" not in content
    send_link(customer)
    assert "change how you pay" in str(get_sent_emails()[1].body)


def test_another_recipient_and_the_sender_are_stored(customer: Customer, non_member: User) -> None:
    """The customer's own address doesn't change."""
    link = send_link(customer, to="tax@accountants.example", sent_by=non_member)
    assert (link.recipient, link.sent_by) == ("tax@accountants.example", non_member)
    assert get_sent_emails()[0].to == ["tax@accountants.example"]
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
def test_invalid_arguments_are_rejected_before_anything_is_saved(
    customer: Customer, change: dict[str, str], arguments: dict[str, Any], wrong: tuple[str, str]
) -> None:
    for name, value in change.items():
        setattr(customer, name, value)
    with pytest.raises(ValidationError) as caught:
        send_link(customer, **arguments)
    assert caught.value.message_dict == {wrong[0]: [wrong[1]]}
    assert (PortalLink.objects.count(), mail.outbox) == (0, [])


def test_unsaved_customers_have_no_links() -> None:
    with pytest.raises(ValidationError) as caught:
        send_link(Customer(alias="org-7", email=BILLING))
    assert caught.value.message_dict == {"customer": ["Save the customer first: a link names its row."]}


def test_links_require_site_url(settings: Settings, customer: Customer) -> None:
    settings.ALGUNA_PORTAL_SITE_URL = ""
    with pytest.raises(ImproperlyConfigured, match="ALGUNA_PORTAL_SITE_URL is not set"):
        send_link(customer)
    assert PortalLink.objects.count() == 0


def test_link_sent_is_sent(customer: Customer) -> None:
    received: list[PortalLink] = []

    def receive(sender: Any, link: PortalLink, **_: Any) -> None:
        received.append(link)

    link_sent.connect(receive)
    try:
        link = send_link(customer)
    finally:
        link_sent.disconnect(receive)
    assert received == [link]


def test_a_failed_email_does_not_stop_the_others(
    settings: Settings, customer: Customer, umbrella: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    """The result contains sent, failed and skipped customers, and links whose email failed are deleted."""
    use_picky_backend(settings)
    refused = Customer.objects.create(alias="r", email="refused@example.com")
    dropped = Customer.objects.create(alias="d", email="dropped@example.com")
    malformed = Customer.objects.create(alias="m", email="no address")
    last = Customer.objects.create(alias="l", email="last@example.com")
    result = send_links([customer, refused, umbrella, dropped, malformed, last])
    assert [link.customer for link in result.sent] == [customer, last]
    assert result.failed == [
        (malformed, "ValidationError"),
        (refused, "SMTPRecipientsRefused"),
        (dropped, "SMTPServerDisconnected"),
    ]
    assert result.skipped == [umbrella]
    assert [link.customer for link in PortalLink.objects.order_by("pk")] == [customer, last]
    assert "could not be mailed (SMTPRecipientsRefused)" in caplog.text
    assert "@" not in caplog.text


def test_all_emails_use_one_connection(settings: Settings, customer: Customer) -> None:
    use_picky_backend(settings)
    assert len(send_links([customer] * 5).sent) == 5
    assert mailers.RefusingBackend.opened == 1


def test_an_unreachable_mail_server_is_reported(
    settings: Settings, customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    """For one link as an exception, which contains no address; the link is deleted."""
    mailers.use_email_backend(settings, "tests.support.mailers.UnreachableBackend")
    message = rf"customer {customer.pk} could not be mailed \(ConnectionRefusedError\)"
    with pytest.raises(LinkNotSent, match=message) as caught:
        send_link(customer)
    assert pickle.loads(pickle.dumps(caught.value)).failure == "ConnectionRefusedError"
    assert PortalLink.objects.count() == 0
    assert "could not be mailed (ConnectionRefusedError)" in caplog.text
    assert "@" not in caplog.text


@pytest.mark.parametrize(
    ("backend", "failure"), [("UnreachableBackend", "ConnectionRefusedError"), ("TimeoutBackend", "TimeoutError")]
)
def test_an_unreachable_mail_server_is_tried_once(
    settings: Settings, customer: Customer, backend: str, failure: str
) -> None:
    mailers.use_email_backend(settings, f"tests.support.mailers.{backend}")
    mailer = getattr(mailers, backend)
    mailer.asked = 0
    assert [name for _, name in send_links([customer] * 5).failed] == [failure] * 5
    assert mailer.asked == 1


def test_links_deleted_while_they_are_sent(settings: Settings, customer: Customer) -> None:
    """A connection whose `close()` fails is ignored, too."""
    mailers.use_email_backend(settings, "tests.support.mailers.DeletingBackend")
    result = send_links([customer] * 2)
    assert (len(result.sent), len(mail.outbox), PortalLink.objects.count()) == (2, 2, 0)


@pytest.mark.django_db(transaction=True)
def test_a_deleted_customer_does_not_stop_the_others(customer: Customer, umbrella: Customer) -> None:
    umbrella.email = "billing@umbrella.example"
    Customer.objects.filter(pk=customer.pk).delete()
    result = send_links([customer, umbrella])
    assert [link.customer for link in result.sent] == [umbrella]
    assert result.failed == [(customer, "IntegrityError")]
    assert len(mail.outbox) == 1


def test_no_email_is_started_after_the_time_limit(settings: Settings, customer: Customer, umbrella: Customer) -> None:
    clock = iter([0.0, 14.9, 15.0])
    with patch("alguna_portal.links.sending.monotonic", lambda: next(clock)):
        umbrella.email = "billing@umbrella.example"
        result = send_links([customer, umbrella], within=15)
    assert [link.customer for link in result.sent] == [customer]
    assert result.untried == [umbrella]
    assert PortalLink.objects.count() == 1
    assert send_again(result.sent, within=0).untried == [customer]


@pytest.mark.parametrize("resend", [False, True])
def test_a_given_result_is_filled(customer: Customer, non_member: User, *, resend: bool) -> None:
    link = send_link(customer)
    result = SendResult()
    if resend:
        assert send_again([link], sent_by=non_member, result=result) is result
    else:
        assert send_links([customer], sent_by=non_member, result=result) is result
    assert [(each.customer, each.sent_by, each.note) for each in result.sent] == [(customer, non_member, "")]


def test_links_are_sent_again_with_the_same_roles_and_notes(
    settings: Settings, customer: Customer, non_member: User
) -> None:
    """As new links to the same recipients, over one connection."""
    first = [send_link(customer, role="viewer", note="Hello."), send_link(customer, to="tax@accountants.example")]
    use_picky_backend(settings)
    result = send_again(first, sent_by=non_member)
    assert [(link.recipient, link.role, link.note, link.sent_by) for link in result.sent] == [
        (BILLING, "viewer", "Hello.", non_member),
        ("tax@accountants.example", "manager", "", non_member),
    ]
    assert mailers.RefusingBackend.opened == 1
    assert PortalLink.objects.count() == 4


@pytest.mark.parametrize("name", ["خ\u200cخ", "👩\u200d🚀 Space"])
def test_names_keep_their_joiners(customer: Customer, name: str) -> None:
    """They aren't line breaks."""
    customer.name = name
    send_link(customer)
    assert name in get_sent_emails()[0].subject


def test_a_missing_email_backend_is_reported(settings: Settings, customer: Customer) -> None:
    """Django 6.1 has its own exception for it."""
    mailers.use_email_backend(settings, "tests.support.mailers.Nowhere")
    assert send_links([customer]).failed in ([(customer, "ImportError")], [(customer, "InvalidMailer")])


def test_an_unknown_role_is_an_error_for_all_links(customer: Customer) -> None:
    with pytest.raises(ValidationError, match="There is no role"):
        send_links([customer], role="owner")


def test_sending_no_links_needs_no_settings(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_SITE_URL = ""
    assert send_links([]).sent == []


def test_the_connection_is_closed_if_the_run_is_interrupted(
    settings: Settings, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example, by the database."""
    mailers.use_email_backend(settings, "tests.support.mailers.RefusingBackend")
    closed: list[bool] = []
    monkeypatch.setattr(mailers.RefusingBackend, "close", lambda self: closed.append(self.connected))
    saves = iter([PortalLink.save])

    def save(self: PortalLink, **options: Any) -> None:
        next(saves)(self, **options)

    monkeypatch.setattr(PortalLink, "save", save)
    with pytest.raises((RuntimeError, StopIteration)):
        send_links([customer, customer])
    assert closed == [True]


def test_an_invalid_support_contact_is_an_error_before_anything_is_saved(
    settings: Settings, customer: Customer
) -> None:
    settings.ALGUNA_PORTAL_SUPPORT_CONTACT = "the help desk"
    with pytest.raises(ImproperlyConfigured, match="SUPPORT_CONTACT"):
        send_link(customer)
    assert PortalLink.objects.count() == 0
