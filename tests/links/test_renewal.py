"""Renewal of links: a new one to the same recipient, within limits."""

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
from tests.conftest import FakeApi
from tests.support import mailers
from tests.support.emails import BILLING, get_link_path, get_sent_emails, get_text, submit_link

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAYS = 24 * 60 * 60


@pytest.fixture
def expired(customer: Customer) -> PortalLink:
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8)):
        link = send_link(customer, role="viewer", note="Your card has expired.")
    mail.outbox.clear()
    return link


def request_renewal(link: PortalLink) -> Any:
    """Request a new link."""
    return Client().post(get_link_path(link), {"renew": "1"})


def test_an_expired_link_can_be_renewed(alguna: FakeApi, expired: PortalLink, customer: Customer) -> None:
    """In the same role, to the same recipient, and without the note, which may be outdated."""
    customer.email = "somebody.else@acme.example"
    customer.save()
    response = Client().get(get_link_path(expired))
    assert (response.status_code, response["Referrer-Policy"]) == (410, "strict-origin")
    assert "Send me a new link" in get_text(response)
    response = request_renewal(expired)
    assert response.status_code == 200
    assert "Check your inbox" in get_text(response)
    (message,) = get_sent_emails()
    assert message.to == [BILLING]
    assert "expired" not in str(message.body)
    new = PortalLink.objects.latest("pk")
    assert (new.role, new.state, new.recipient, new.note) == ("viewer", "active", BILLING, "")
    assert submit_link(new).status_code == 200
    assert submit_link(expired).status_code == 410


def test_a_used_up_link_can_be_renewed(settings: Settings, alguna: FakeApi, customer: Customer) -> None:
    settings.ALGUNA_PORTAL_LINK_MAX_USES = 1
    link = send_link(customer)
    submit_link(link)
    assert "Send me a new link" in get_text(submit_link(link))
    request_renewal(link)
    assert len(get_sent_emails()) == 2


def test_the_response_does_not_reveal_whether_a_link_was_sent(expired: PortalLink) -> None:
    contents = {request_renewal(expired).content for _ in range(3)}
    assert len(contents) == 1
    assert len(get_sent_emails()) == 1


def test_renewals_are_limited(expired: PortalLink, customer: Customer) -> None:
    """One in ten minutes per link, five a day per recipient; links that staff send aren't counted."""
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
    assert len(get_sent_emails()) == 6


def test_links_can_be_renewed_for_ninety_days(customer: Customer) -> None:
    """Counted from the first email, also for renewals of renewals."""
    with time_machine.travel(NOW, tick=False) as now:
        link = send_link(customer)
        for _ in range(11):
            now.shift(8 * DAYS)
            assert renew(link)
            link = PortalLink.objects.latest("pk")
        now.shift(8 * DAYS)
        assert not renew(link)


def test_an_older_link_cannot_be_renewed_after_a_revocation(expired: PortalLink, customer: Customer) -> None:
    """Only a revocation for the same recipient and customer counts."""
    later = send_link(customer)
    other = send_link(customer, to="tax@accountants.example")
    other.revoke()
    mail.outbox.clear()
    later.revoke()
    assert not renew(expired)
    assert mail.outbox == []


def test_a_revocation_does_not_affect_other_customers(customer: Customer, umbrella: Customer) -> None:
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8)):
        link = send_link(customer, to="tax@accountants.example")
    send_link(umbrella, to="tax@accountants.example").revoke()
    assert renew(link)


def test_a_link_sent_after_a_revocation_can_be_renewed(customer: Customer, expired: PortalLink) -> None:
    expired.revoke()
    new_link = send_link(customer)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=8)):
        assert renew(new_link)


def test_revoking_a_link_revokes_all_its_renewals(expired: PortalLink) -> None:
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


def test_a_link_that_is_too_old_offers_no_renewal(customer: Customer) -> None:
    with time_machine.travel(NOW, tick=False) as now:
        link = send_link(customer)
        now.shift(91 * DAYS)
        shown = get_text(Client().get(get_link_path(link)))
    assert "Ask whoever sent it to you" in shown
    assert "<form" not in shown


def test_the_response_does_not_reveal_a_configuration_error(
    settings: Settings, expired: PortalLink, caplog: pytest.LogCaptureFixture
) -> None:
    """Under DEBUG, it's raised."""
    address = get_link_path(expired)
    settings.ALGUNA_PORTAL_SITE_URL = ""
    assert "Check your inbox" in get_text(Client().post(address, {"renew": "1"}))
    assert f"Link {expired.pk} could not be renewed (ImproperlyConfigured)." in caplog.text
    settings.DEBUG = True
    PortalLink.objects.update(renewed_at=None)
    with pytest.raises(ImproperlyConfigured):
        Client().post(address, {"renew": "1"})


def test_an_active_link_is_not_renewed(link: PortalLink) -> None:
    response = request_renewal(link)
    assert "Open billing" in get_text(response)
    assert len(get_sent_emails()) == 1
    assert not renew(link)


def test_a_revoked_link_is_not_renewed(expired: PortalLink) -> None:
    """Not even if it was read before the revocation."""
    PortalLink.objects.filter(pk=expired.pk).update(revoked_at=NOW)
    assert not renew(expired)
    assert mail.outbox == []
    expired.refresh_from_db()
    assert expired.renewed_at is None


def test_the_response_does_not_reveal_a_failed_email(
    settings: Settings, expired: PortalLink, caplog: pytest.LogCaptureFixture
) -> None:
    mailers.use_email_backend(settings, "tests.support.mailers.UnreachableBackend")
    assert "Check your inbox" in get_text(request_renewal(expired))
    assert "could not be mailed (ConnectionRefusedError)" in caplog.text
