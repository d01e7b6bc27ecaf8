"""A new link for an old one: to the same recipient, and not for ever."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from alguna_portal.links import renew, send_link
from alguna_portal.models import Customer, PortalLink
from tests.conftest import Alguna
from tests.support import mailers
from tests.support.emails import BILLING, path, press, sent, text

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAYS = 24 * 60 * 60


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
    assert (response.status_code, response["Referrer-Policy"]) == (410, "strict-origin")
    assert "Send me a new link" in text(response)
    response = ask(expired)
    assert response.status_code == 200
    assert "Check your inbox" in text(response)
    (message,) = sent()
    assert message.to == [BILLING]
    assert "expired" not in str(message.body)
    new = PortalLink.objects.latest("pk")
    assert (new.role, new.state, new.recipient, new.note) == ("viewer", "active", BILLING, "")
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
    """One in ten minutes for a link, five a day for an address; what staff send is not counted."""
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


def test_what_was_revoked_is_not_brought_back_by_an_older_mail(expired: PortalLink, customer: Customer) -> None:
    """Whoever revokes the link that works means the person, who may have older mails; for this customer alone."""
    later = send_link(customer)
    other = send_link(customer, to="tax@accountants.example")
    other.revoke()
    mail.outbox.clear()
    later.revoke()
    assert not renew(expired)
    assert mail.outbox == []


def test_what_was_revoked_for_one_customer_is_not_for_another(customer: Customer, umbrella: Customer) -> None:
    """An accountant of two loses the one that was taken back."""
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8)):
        link = send_link(customer, to="tax@accountants.example")
    send_link(umbrella, to="tax@accountants.example").revoke()
    assert renew(link)


def test_who_is_sent_a_link_again_may_replace_that_one(customer: Customer, expired: PortalLink) -> None:
    """Support has decided anew."""
    expired.revoke()
    again = send_link(customer)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=8)):
        assert renew(again)


def test_revoking_takes_back_what_was_asked_for_in_its_place(expired: PortalLink) -> None:
    """Whichever of them is revoked; the first one names the line."""
    assert renew(expired)
    second = PortalLink.objects.latest("pk")
    assert (second.renews, second.sent_by) == (expired, None)
    PortalLink.objects.filter(pk=second.pk).update(expires_at=NOW)
    PortalLink.objects.filter(pk=expired.pk).update(renewed_at=None)
    assert renew(PortalLink.objects.get(pk=second.pk))
    third = PortalLink.objects.latest("pk")
    assert third.renews == expired
    second.revoke()
    assert {each.state for each in PortalLink.objects.all()} == {"revoked"}


def test_a_link_that_is_too_old_does_not_promise_a_new_one(customer: Customer) -> None:
    """It says whom to ask."""
    with time_machine.travel(NOW, tick=False) as now:
        link = send_link(customer)
        now.shift(91 * DAYS)
        shown = text(Client().get(path(link)))
    assert "Ask whoever sent it to you" in shown
    assert "<form" not in shown


def test_a_new_link_that_cannot_even_be_made_reads_the_same(
    settings: Settings, expired: PortalLink, caplog: pytest.LogCaptureFixture
) -> None:
    """A missing setting is nothing that who asks should learn of; a developer does."""
    address = path(expired)
    settings.ALGUNA_PORTAL_SITE_URL = ""
    assert "Check your inbox" in text(Client().post(address, {"renew": "1"}))
    assert f"Link {expired.pk} could not be renewed (ImproperlyConfigured)." in caplog.text
    settings.DEBUG = True
    PortalLink.objects.update(renewed_at=None)
    with pytest.raises(ImproperlyConfigured):
        Client().post(address, {"renew": "1"})


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
    expired.refresh_from_db()
    assert expired.renewed_at is None


def test_a_new_link_that_cannot_be_mailed_reads_the_same(
    settings: Settings, expired: PortalLink, caplog: pytest.LogCaptureFixture
) -> None:
    """The log knows."""
    mailers.mail_by(settings, "tests.support.mailers.Down")
    assert "Check your inbox" in text(ask(expired))
    assert "could not be mailed (ConnectionRefusedError)" in caplog.text
