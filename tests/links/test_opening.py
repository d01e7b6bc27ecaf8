"""Opening the portal with emailed links: the page, expiry, uses and the audit trail."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from alguna_portal.exceptions import AlgunaUnavailable
from alguna_portal.links import LinkUnusable, format_expiry, get_link_by_token, open_link, send_link
from alguna_portal.models import Customer, PortalAccess, PortalLink
from tests.conftest import FakeApi
from tests.support.emails import BILLING, get_html, get_link_path, get_sent_emails, get_text, submit_link

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAYS = 24 * 60 * 60


def test_the_page_names_the_company_and_counts_no_use(alguna: FakeApi, link: PortalLink) -> None:
    """Mail scanners fetch it several times, also with HEAD."""
    for _ in range(3):
        response = Client().get(get_link_path(link))
        Client().head(get_link_path(link))
    assert response.status_code == 200
    assert "Billing of Acme" in get_text(response)
    assert "Open billing" in get_text(response)
    assert response["Cache-Control"] == "no-store"
    assert response["Referrer-Policy"] == "strict-origin"
    assert response["X-Frame-Options"] == "DENY"
    link.refresh_from_db()
    assert (link.uses, alguna.requests, list(response.cookies)) == (0, [], ["csrftoken"])


def test_a_link_opens_the_portal_with_the_plans_settings(alguna: FakeApi, umbrella: Customer) -> None:
    """With the current plan, in the link's role, and with an entry in the audit trail."""
    link = send_link(umbrella, to=BILLING)
    response = submit_link(link)
    assert response.status_code == 200
    assert response["Refresh"] == f"0; url={alguna.url(1)}"
    assert f'href="{alguna.url(1)}"' in get_text(response)
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
def test_a_viewers_link_opens_without_permissions(
    settings: Settings, alguna: FakeApi, customer: Customer, setting: str, role: str | None
) -> None:
    """The sender's role overrides the setting."""
    settings.ALGUNA_PORTAL_LINK_ROLE = setting
    submit_link(send_link(customer, role=role))
    assert alguna.bodies[0]["billing_details_settings"]["allow_payment_method_edit"] is False


def test_opening_a_link_signs_nobody_in(alguna: FakeApi, link: PortalLink) -> None:
    client = Client()
    client.post(get_link_path(link))
    assert "sessionid" not in client.cookies


def test_opening_a_link_requires_a_csrf_token(alguna: FakeApi, link: PortalLink) -> None:
    """Without it, no use is counted."""
    client = Client(enforce_csrf_checks=True)
    assert client.post(get_link_path(link)).status_code == 403
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get(get_link_path(link)).content.decode())
    assert token
    assert client.post(get_link_path(link), {"csrfmiddlewaretoken": token[1]}).status_code == 200
    assert len(alguna.requests) == 1


def test_a_link_works_until_it_expires(alguna: FakeApi, customer: Customer) -> None:
    with time_machine.travel(NOW, tick=False) as now:
        link = send_link(customer)
        now.shift(7 * DAYS - 1)
        assert submit_link(link).status_code == 200
        now.shift(1)
        assert submit_link(link).status_code == 410
        assert Client().get(get_link_path(link)).status_code == 410
    assert len(alguna.requests) == 1


def test_a_links_times_are_based_on_its_creation(link: PortalLink) -> None:
    assert link.expires_at - link.created_at == timedelta(days=7)
    assert link.renewable_until - link.created_at == timedelta(days=90)


def test_settings_limit_age_and_uses(settings: Settings, alguna: FakeApi, customer: Customer) -> None:
    settings.ALGUNA_PORTAL_LINK_MAX_AGE = timedelta(hours=1)
    settings.ALGUNA_PORTAL_LINK_MAX_USES = 2
    with time_machine.travel(NOW, tick=False) as now:
        link = send_link(customer)
        assert link.expires_at == NOW + timedelta(hours=1)
        assert [submit_link(link).status_code for _ in range(3)] == [200, 200, 410]
        assert link.pk
        link.refresh_from_db()
        assert (link.state, link.uses) == ("used_up", 2)
        now.shift(60 * 60)
        assert link.state == "expired"


def test_the_last_use_can_be_used_once(settings: Settings, alguna: FakeApi, customer: Customer) -> None:
    """Two requests found the link while it had one use left."""
    settings.ALGUNA_PORTAL_LINK_MAX_USES = 1
    link = send_link(customer)
    found = [PortalLink.objects.get(pk=link.pk) for _ in range(2)]
    open_link(found[0])
    with pytest.raises(LinkUnusable, match=r"^The link is expired, used up or revoked\.$"):
        open_link(found[1])
    assert len(alguna.requests) == 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"revoked_at": NOW}, 404),
        ({"max_uses": 0}, 410),
        ({"expires_at": NOW - timedelta(days=900)}, 410),
        ({}, 410),
        (None, 404),
    ],
)
def test_a_link_that_becomes_unusable_before_it_is_opened(
    alguna: FakeApi, link: PortalLink, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any] | None, status: int
) -> None:
    """Revoked, used up, expired, usable again or deleted; the page depends on the state that is read afterwards."""
    address = get_link_path(link)
    rows = PortalLink.objects.filter(pk=link.pk)

    def open_changed(found: PortalLink) -> Any:
        if change is None:
            rows.delete()
        elif not change:
            raise LinkUnusable
        else:
            rows.update(**change)
        return open_link(found)

    monkeypatch.setattr("alguna_portal.views.links.open_link", open_changed)
    assert Client().post(address).status_code == status
    assert [access.outcome for access in PortalAccess.objects.all()] == ["denied"] * (change is not None)
    assert alguna.requests == []


def test_each_opening_is_recorded_with_its_link(settings: Settings, alguna: FakeApi, customer: Customer) -> None:
    """Viewing the page isn't recorded."""
    settings.ALGUNA_PORTAL_LINK_MAX_USES = 1
    link = send_link(customer)
    Client().get(get_link_path(link))
    submit_link(link)
    submit_link(link)
    Client().post(get_link_path(link), {"renew": "1"})
    link.revoke()
    submit_link(link)
    Client().get(get_link_path(link))
    recorded = PortalAccess.objects.order_by("pk")
    assert [(each.outcome, each.link, each.customer, each.via) for each in recorded] == [
        ("opened", link, customer, "link"),
        ("denied", link, customer, "link"),
        ("denied", link, customer, "link"),
    ]
    alguna.fail(503)
    other = send_link(customer)
    submit_link(other)
    last = PortalAccess.objects.latest("pk")
    assert (last.outcome, last.link) == ("unavailable", other)
    other.delete()
    last.refresh_from_db()
    assert last.link is None


def test_emails_and_pages_state_the_number_of_uses(settings: Settings, customer: Customer) -> None:
    for limit, sentence in ((1, "It can be used once."), (3, "It can be used 3 times.")):
        settings.ALGUNA_PORTAL_LINK_MAX_USES = limit
        link = send_link(customer)
        assert sentence in str(get_sent_emails()[-1].body)
        assert sentence in get_html(get_sent_emails()[-1])
        assert sentence in get_text(Client().get(get_link_path(link)))


def test_the_expiry_has_no_time_zone_without_use_tz(settings: Settings, alguna: FakeApi, link: PortalLink) -> None:
    settings.USE_TZ = False
    link.expires_at = datetime(2026, 11, 28, 12)  # noqa: DTZ001
    assert format_expiry(link) == "Nov. 28, 2026, noon"


@pytest.mark.parametrize(("status", "shown"), [(503, 503), (401, 502)])
def test_a_failed_opening_is_not_counted(
    settings: Settings, alguna: FakeApi, customer: Customer, status: int, shown: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The page explains the failure and, if another attempt may help, links back to the page."""
    settings.ALGUNA_PORTAL_LINK_MAX_USES = 1
    link = send_link(customer)
    alguna.fail(status)
    response = submit_link(link)
    assert response.status_code == shown
    if shown == 503:
        assert f'href="{get_link_path(link)}"' in get_text(response)
        assert response["Retry-After"] == "30"
    link.refresh_from_db()
    assert (link.uses, link.last_used_at) == (0, None)
    assert f"Link {link.pk}: no portal session." in caplog.text
    assert submit_link(link).status_code == 200


def test_links_of_deleted_customers_are_unknown(alguna: FakeApi, link: PortalLink, customer: Customer) -> None:
    address = get_link_path(link)
    customer.delete()
    assert Client().post(address).status_code == 404


def test_recipients_are_masked(link: PortalLink) -> None:
    assert link.masked_recipient == "b…@acme.example"


def test_the_state_of_a_link(customer: Customer) -> None:
    """Revoked comes before expired, and expired before used up."""
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


def test_finding_a_link_costs_one_query_and_an_invalid_token_none(
    link: PortalLink, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    token = get_link_path(link).rstrip("/").rpartition("/")[2]
    with django_assert_num_queries(1):
        found = get_link_by_token(token)
        assert found == link
        assert found.customer.name == "Acme"
    with django_assert_num_queries(0):
        assert get_link_by_token(token[:-1]) is None


def test_open_link_raises_the_exceptions_of_open_session(alguna: FakeApi, link: PortalLink) -> None:
    alguna.fail(503)
    with pytest.raises(AlgunaUnavailable):
        open_link(link)


def test_links_are_read_from_the_primary_database(settings: Settings, link: PortalLink) -> None:
    """On a replica, a revoked link may still look valid."""
    settings.DATABASE_ROUTERS = ["tests.support.database_routers.ReplicaRouter"]
    assert get_link_by_token(get_link_path(link).rstrip("/").rpartition("/")[2]) == link
