"""Mailed links: what they are worth, to whom, for how long, and what must not make them worth more."""

import logging
import pickle
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core import mail
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.utils import timezone, translation
from pytest_django import Settings

from alguna_portal.exceptions import AlgunaUnavailable
from alguna_portal.links import LinkNotSent, LinkUnusable, address_of, find, open_link, renew, send_link, send_links
from alguna_portal.models import Customer, PortalAccess, PortalLink
from alguna_portal.signals import link_sent

from . import mailers
from .conftest import Alguna

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SITE = "https://app.example.com"
BILLING = "billing@acme.example"
DAYS = 24 * 60 * 60


@pytest.fixture
def customer(acme: Customer) -> Customer:
    """A customer that can be written to."""
    acme.email = BILLING
    acme.save()
    return acme


@pytest.fixture
def link(customer: Customer) -> PortalLink:
    """A link that has been mailed."""
    return send_link(customer)


def path(link: PortalLink) -> str:
    """The address of a link, on the site."""
    return address_of(link).removeprefix(SITE)


def text(response: Any) -> str:
    """What a page says."""
    return unescape(response.content.decode())


def sent() -> list[EmailMultiAlternatives]:
    """The mails so far."""
    return [message for message in mail.outbox if isinstance(message, EmailMultiAlternatives)]


def html_of(message: EmailMultiAlternatives) -> str:
    """The mail as a page."""
    ((content, kind),) = message.alternatives
    assert kind == "text/html"
    return str(content)


def press(link: PortalLink) -> Any:
    """Press the button behind a link."""
    return Client().post(path(link))


# The mail


def test_a_link_is_mailed_to_the_customers_address(customer: Customer, settings: Settings) -> None:
    """As text and as HTML, both with the link, which begins with the site's own address."""
    settings.ALGUNA_PORTAL_SUPPORT_CONTACT = "help@example.com"
    with time_machine.travel(NOW, tick=False), timezone.override(UTC):
        link = send_link(customer, note="Your card has expired.")
    (message,) = sent()
    url = address_of(link)
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
    assert f"\n\n{address_of(link)}\n\n" in body
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
        assert "acme-1" not in said.replace(address_of(link), "")
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
        assert "update how they are paid" not in said
    send_link(customer)
    assert "update how they are paid" in str(sent()[1].body)


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
        ({"email": ""}, {}, "to"),
        ({}, {"to": ""}, "to"),
        ({}, {"to": "nobody"}, "to"),
        ({}, {"to": "a@b.example, c@d.example"}, "to"),
        ({}, {"to": f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.example"}, "to"),
        ({}, {"to": "a@b.example\nBcc: c@d.example"}, "to"),
        ({}, {"role": "owner"}, "role"),
        ({}, {"note": "n" * 1001}, "note"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    customer: Customer, change: dict[str, str], arguments: dict[str, Any], wrong: str
) -> None:
    """By name, and no mail is sent."""
    for name, value in change.items():
        setattr(customer, name, value)
    with pytest.raises(ValidationError) as caught:
        send_link(customer, **arguments)
    assert set(caught.value.message_dict) == {wrong}
    assert (PortalLink.objects.count(), mail.outbox) == (0, [])


def test_a_customer_without_a_row_has_no_links() -> None:
    """The row is what the link names."""
    with pytest.raises(ValidationError, match="Save the customer first"):
        send_link(Customer(alias="org-7", email=BILLING))


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


# Many


def test_many_are_mailed_over_one_connection_and_none_stops_the_others(
    settings: Settings, customer: Customer, umbrella: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    """What was sent, what failed and who has no address is reported; nothing is left of what failed."""
    settings.EMAIL_BACKEND = "tests.mailers.Picky"
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
    settings.EMAIL_BACKEND = "tests.mailers.Picky"
    mailers.Picky.opened = 0
    assert len(send_links([customer] * 5).sent) == 5
    assert mailers.Picky.opened == 1


def test_a_mail_server_that_is_not_there_is_reported(
    settings: Settings, customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    """For one as an exception, which shows no address; and no link is left that nobody has."""
    settings.EMAIL_BACKEND = "tests.mailers.Down"
    said = rf"customer {customer.pk} could not be mailed \(ConnectionRefusedError\)"
    with pytest.raises(LinkNotSent, match=said) as caught:
        send_link(customer)
    assert pickle.loads(pickle.dumps(caught.value)).failure == "ConnectionRefusedError"
    assert PortalLink.objects.count() == 0
    assert "could not be mailed (ConnectionRefusedError)" in caplog.text
    assert "@" not in caplog.text


def test_a_mail_server_that_is_not_there_is_waited_for_once(settings: Settings, customer: Customer) -> None:
    """Not by each of five hundred."""
    settings.EMAIL_BACKEND = "tests.mailers.Down"
    mailers.Down.asked = 0
    assert [failure for _, failure in send_links([customer] * 5).failed] == ["ConnectionRefusedError"] * 5
    assert mailers.Down.asked == 1


def test_a_mail_backend_that_is_misspelt_is_reported(settings: Settings, customer: Customer) -> None:
    """As any other failure."""
    settings.EMAIL_BACKEND = "tests.mailers.Nowhere"
    assert send_links([customer]).failed == [(customer, "ImportError")]


def test_a_role_that_does_not_exist_is_no_recipients_failure(customer: Customer) -> None:
    """It would be wrong for each of them."""
    with pytest.raises(ValidationError, match="There is no role"):
        send_links([customer], role="owner")


def test_nobody_to_write_to_is_no_error(settings: Settings) -> None:
    """Not even without a site's address."""
    settings.ALGUNA_PORTAL_SITE_URL = ""
    assert send_links([]).sent == []


# Opening


def test_the_page_names_the_company_and_uses_nothing(alguna: Alguna, link: PortalLink) -> None:
    """However often it is fetched, rendered or asked for by HEAD: scanners do all of that."""
    for _ in range(3):
        response = Client().get(path(link))
        Client().head(path(link))
    assert response.status_code == 200
    assert "Billing of Acme" in text(response)
    assert "Open billing" in text(response)
    assert response["Cache-Control"] == "no-store"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["X-Frame-Options"] == "DENY"
    link.refresh_from_db()
    assert (link.uses, alguna.requests, list(response.cookies)) == (0, [], ["csrftoken"])


def test_a_press_opens_the_portal_with_the_plans_settings(alguna: Alguna, umbrella: Customer) -> None:
    """As the plan is now, as manager, and recorded as what it was."""
    link = send_link(umbrella, to=BILLING)
    response = press(link)
    assert response.status_code == 200
    assert response["Refresh"] == f"0; url={alguna.url(1)}"
    assert f'href="{alguna.url(1)}"' in text(response)
    assert (response["Cache-Control"], response["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert alguna.bodies == [
        {"customer_alias": "umbrella-2", "plan_overview_settings": {"allow_subscription_cancel": False}}
    ]
    link.refresh_from_db()
    assert link.uses == 1
    assert link.last_used_at is not None
    access = PortalAccess.objects.get()
    assert (access.via, access.customer, access.role, access.user) == ("link", umbrella, "manager", None)


@pytest.mark.parametrize(("setting", "role"), [("viewer", None), ("manager", "viewer")])
def test_a_viewers_link_opens_without_powers(
    settings: Settings, alguna: Alguna, customer: Customer, setting: str, role: str | None
) -> None:
    """The sender's choice wins over the setting."""
    settings.ALGUNA_PORTAL_LINK_ROLE = setting
    press(send_link(customer, role=role))
    assert alguna.bodies[0]["billing_details_settings"]["allow_payment_method_edit"] is False


def test_a_press_signs_nobody_in(alguna: Alguna, link: PortalLink) -> None:
    """The link is for the portal and for nothing else."""
    client = Client()
    client.post(path(link))
    assert "sessionid" not in client.cookies


def test_a_press_from_elsewhere_is_refused(alguna: Alguna, link: PortalLink) -> None:
    """As any form without its token; and nothing is used up."""
    client = Client(enforce_csrf_checks=True)
    assert client.post(path(link)).status_code == 403
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get(path(link)).content.decode())
    assert token
    assert client.post(path(link), {"csrfmiddlewaretoken": token[1]}).status_code == 200
    assert len(alguna.requests) == 1


def test_a_link_works_until_it_expires_and_not_a_second_longer(alguna: Alguna, customer: Customer) -> None:
    """By the row, whatever the setting says by then."""
    with time_machine.travel(NOW, tick=False) as now:
        link = send_link(customer)
        now.shift(7 * DAYS - 1)
        assert press(link).status_code == 200
        now.shift(1)
        assert press(link).status_code == 410
        assert Client().get(path(link)).status_code == 410
    assert len(alguna.requests) == 1


def test_a_setting_decides_how_long_and_how_often(settings: Settings, alguna: Alguna, customer: Customer) -> None:
    """Of links that are sent from then on."""
    settings.ALGUNA_PORTAL_LINK_MAX_AGE = timedelta(hours=1)
    settings.ALGUNA_PORTAL_LINK_MAX_USES = 2
    with time_machine.travel(NOW, tick=False) as now:
        link = send_link(customer)
        assert link.expires_at == NOW + timedelta(hours=1)
        assert [press(link).status_code for _ in range(3)] == [200, 200, 410]
        assert link.pk
        link.refresh_from_db()
        assert (link.state, link.uses) == ("used_up", 2)
        now.shift(60 * 60)
        assert link.state == "expired"


def test_the_last_use_is_had_once(settings: Settings, alguna: Alguna, customer: Customer) -> None:
    """Of two who found the link while it had one use left, one gets it."""
    settings.ALGUNA_PORTAL_LINK_MAX_USES = 1
    link = send_link(customer)
    found = [PortalLink.objects.get(pk=link.pk) for _ in range(2)]
    open_link(found[0])
    with pytest.raises(LinkUnusable):
        open_link(found[1])
    assert len(alguna.requests) == 1


def test_a_link_that_ends_between_page_and_press_is_over(
    alguna: Alguna, link: PortalLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is asked once more at the moment it counts."""
    monkeypatch.setattr("alguna_portal.views.links.find", lambda token: link)
    PortalLink.objects.filter(pk=link.pk).update(revoked_at=NOW)
    response = press(link)
    assert response.status_code == 410
    assert alguna.requests == []


@pytest.mark.parametrize(("status", "shown"), [(503, 503), (401, 502)])
def test_a_use_that_led_nowhere_is_given_back(
    settings: Settings,
    alguna: Alguna,
    customer: Customer,
    status: int,
    shown: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The page says what is wrong, and where it may be tried again, leads back to the link."""
    settings.ALGUNA_PORTAL_LINK_MAX_USES = 1
    link = send_link(customer)
    alguna.fail(status)
    response = press(link)
    assert response.status_code == shown
    if shown == 503:
        assert f'href="{path(link)}"' in text(response)
        assert response["Retry-After"] == "30"
    link.refresh_from_db()
    assert link.uses == 0
    assert f"Link {link.pk}: no portal session." in caplog.text
    assert press(link).status_code == 200


def test_a_link_of_a_customer_that_is_gone_is_unknown(alguna: Alguna, link: PortalLink, customer: Customer) -> None:
    """It goes with the customer."""
    address = path(link)
    customer.delete()
    assert Client().post(address).status_code == 404


# What it must not do


def tampered(token: str) -> list[str]:
    """Tokens that are almost right."""
    key, _, signature = token.partition(".")
    other = ("0" if key[0] != "0" else "1") + key[1:]
    return [f"{other}.{signature}", f"{key}.{signature[:-1]}", key, f"{key}.", f".{signature}", token.upper(), "x"]


def test_unknown_tampered_and_revoked_links_look_alike(alguna: Alguna, link: PortalLink, customer: Customer) -> None:
    """To who fetches them, presses, or asks for a new one."""
    base, token = path(link).removesuffix("/").rsplit("/", 1)
    gone = send_link(customer)
    deleted = path(gone)
    gone.delete()
    link.revoke()
    mail.outbox.clear()
    answers = set()
    for address in [path(link), deleted, *(f"{base}/{each}/" for each in tampered(token))]:
        for response in (
            Client().get(address),
            Client().post(address),
            Client().post(address, {"renew": "1"}),
        ):
            answers.add((response.status_code, response.content, response["Referrer-Policy"]))
    ((status, content, _),) = answers
    assert status == 404
    assert b"does not work" in content
    assert b"<form" not in content
    assert (alguna.requests, mail.outbox) == ([], [])


def test_a_token_of_another_kind_is_no_link(link: PortalLink) -> None:
    """What the same secret has signed for another purpose opens nothing."""
    from django.core.signing import Signer

    assert find(Signer(salt="elsewhere", sep=".").sign(link.key.hex)) is None


def test_a_rotated_secret_key_still_opens_and_a_removed_one_does_not(
    settings: Settings, alguna: Alguna, link: PortalLink
) -> None:
    """As the whole of Django has it."""
    address, old = path(link), settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [old]
    assert Client().get(address).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert Client().get(address).status_code == 404


def test_revoking_is_for_good(alguna: Alguna, link: PortalLink) -> None:
    """And keeps the time it was first done."""
    with time_machine.travel(NOW, tick=False) as now:
        link.revoke()
        now.shift(60)
        link.revoke()
    assert (link.state, link.revoked_at) == ("revoked", NOW)
    assert press(link).status_code == 404


def test_no_log_holds_the_link_or_an_address(
    alguna: Alguna, customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither ours nor Django's, whose errors name the path, and mail it to ADMINS."""
    caplog.set_level(logging.DEBUG)
    link = send_link(customer)
    alguna.fail(503)
    press(link)
    alguna.fail(401)
    press(link)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=8)):
        press(link)
        Client().post(path(link), {"renew": "1"})
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(path(link)).status_code == 403
    for appended in (">", "/>", ".", "%0A", "/x/y/"):
        assert Client().get(path(link).removesuffix("/") + appended, follow=True).status_code == 404
    assert Client().put(path(link)).status_code == 405
    link.revoke()
    press(link)
    # SQL is logged under DEBUG alone, with whatever is in it.
    said = "\n".join(record.getMessage() for record in caplog.records if record.name != "django.db.backends")
    assert f"Link {link.pk}: mailed for customer {customer.pk}." in said
    for secret in (link.key.hex, path(link), "@acme", "hs/token"):
        assert secret not in said
    assert link.key.hex not in repr(link) + str(link)
    assert "@" not in repr(link) + str(link)


# A new one


@pytest.fixture
def expired(customer: Customer) -> PortalLink:
    """A link that expired yesterday."""
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8)):
        link = send_link(customer, role="viewer", note="Your card has expired.")
    mail.outbox.clear()
    return link


def ask(link: PortalLink) -> Any:
    """Ask for a new link."""
    return Client().post(path(link), {"renew": "1"})


def test_an_expired_link_offers_a_new_one_to_the_same_recipient(
    alguna: Alguna, expired: PortalLink, customer: Customer
) -> None:
    """In the same role, and without a note that may no longer be true."""
    customer.email = "somebody.else@acme.example"
    customer.save()
    response = Client().get(path(expired))
    assert (response.status_code, response["Referrer-Policy"]) == (410, "same-origin")
    assert "Send me a new link" in text(response)
    response = ask(expired)
    assert response.status_code == 200
    assert "Look into your mailbox" in text(response)
    (message,) = sent()
    assert message.to == [BILLING]
    assert "expired" not in str(message.body)
    new = PortalLink.objects.latest("pk")
    assert (new.role, new.state, new.recipient) == ("viewer", "active", BILLING)
    assert press(new).status_code == 200
    assert press(expired).status_code == 410


def test_a_used_up_link_offers_a_new_one_too(settings: Settings, alguna: Alguna, customer: Customer) -> None:
    """For that is what most who press twice want."""
    settings.ALGUNA_PORTAL_LINK_MAX_USES = 1
    link = send_link(customer)
    press(link)
    assert "Send me a new link" in text(press(link))
    ask(link)
    assert len(sent()) == 2


def test_the_answer_does_not_say_whether_one_was_sent(expired: PortalLink) -> None:
    """A second request comes too soon, and reads the same."""
    answers = {ask(expired).content for _ in range(3)}
    assert len(answers) == 1
    assert len(sent()) == 1


def test_requests_for_new_links_are_limited(expired: PortalLink, customer: Customer) -> None:
    """One in ten minutes for a link, five a day for an address, whichever of its links are used."""
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8)):
        others = [send_link(customer) for _ in range(6)]
    mail.outbox.clear()
    with time_machine.travel(datetime.now(UTC), tick=False) as now:
        assert [renew(expired), renew(expired)] == [True, False]
        now.shift(10 * 60 - 1)
        assert not renew(expired)
        now.shift(1)
        assert renew(expired)
        assert [renew(other) for other in others] == [True, True, True, False, False, False]
        now.shift(DAYS + 1)
        assert renew(expired)
    assert len(sent()) == 6


def test_a_new_link_cannot_be_had_for_ever(customer: Customer) -> None:
    """Ninety days after the first mail, support is asked again; a chain of new links does not go on for longer."""
    with time_machine.travel(NOW, tick=False) as now:
        link = send_link(customer)
        for _ in range(11):
            now.shift(8 * DAYS)
            assert renew(link)
            link = PortalLink.objects.latest("pk")
        now.shift(8 * DAYS)
        assert not renew(link)


def test_a_link_that_works_is_not_replaced(link: PortalLink) -> None:
    """It is there to be used; whoever posts so is shown its button."""
    response = ask(link)
    assert "Open billing" in text(response)
    assert len(sent()) == 1
    assert not renew(link)


def test_a_revoked_link_is_not_replaced(expired: PortalLink) -> None:
    """Not even by who found it a moment before."""
    PortalLink.objects.filter(pk=expired.pk).update(revoked_at=NOW)
    assert not renew(expired)
    assert mail.outbox == []


def test_a_new_link_that_cannot_be_mailed_reads_the_same(
    settings: Settings, expired: PortalLink, caplog: pytest.LogCaptureFixture
) -> None:
    """The log knows."""
    settings.EMAIL_BACKEND = "tests.mailers.Down"
    assert "Look into your mailbox" in text(ask(expired))
    assert "could not be mailed (ConnectionRefusedError)" in caplog.text


def test_a_recipient_is_shown_masked(link: PortalLink) -> None:
    """Those who know the address recognize it."""
    assert link.masked_recipient == "b…@acme.example"


def test_what_a_link_is_worth_changes_with_time(customer: Customer) -> None:
    """Revoked before expired, expired before used up."""
    states: list[Callable[[PortalLink], object]] = [
        lambda link: setattr(link, "sent_at", None),
        lambda link: setattr(link, "max_uses", 0),
        lambda link: setattr(link, "expires_at", NOW),
        lambda link: setattr(link, "revoked_at", NOW),
    ]
    link = send_link(customer)
    seen = [link.state]
    for change in states:
        change(link)
        seen.append(link.state)
    assert seen == ["active", "not_sent", "used_up", "expired", "revoked"]


def test_code_that_opens_a_link_gets_the_failure(alguna: Alguna, link: PortalLink) -> None:
    """As from `open_session`."""
    alguna.fail(503)
    with pytest.raises(AlgunaUnavailable):
        open_link(link)
