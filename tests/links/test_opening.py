"""Mailed links: what opens behind them, for how long and how often."""

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
from tests.conftest import Alguna
from tests.support.emails import BILLING, html_of, path, press, sent, text

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAYS = 24 * 60 * 60


def test_the_page_names_the_company_and_uses_nothing(alguna: Alguna, link: PortalLink) -> None:
    """However often it is fetched, rendered or asked for by HEAD: scanners do all of that."""
    for _ in range(3):
        response = Client().get(path(link))
        Client().head(path(link))
    assert response.status_code == 200
    assert "Billing of Acme" in text(response)
    assert "Open billing" in text(response)
    assert response["Cache-Control"] == "no-store"
    assert response["Referrer-Policy"] == "strict-origin"
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


def test_a_links_times_are_of_one_moment(link: PortalLink) -> None:
    """It lives exactly as long as the setting says, and can be replaced for ninety days, from when it was made."""
    assert link.expires_at - link.created_at == timedelta(days=7)
    assert link.renewable_until - link.created_at == timedelta(days=90)


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
    with pytest.raises(LinkUnusable, match=r"^The link is expired, used up or revoked\.$"):
        open_link(found[1])
    assert len(alguna.requests) == 1


@pytest.mark.parametrize(("change", "status"), [({"revoked_at": NOW}, 404), ({"max_uses": 0}, 410), (None, 404)])
def test_a_link_that_ends_between_page_and_press_is_what_it_is_then(
    alguna: Alguna, link: PortalLink, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any] | None, status: int
) -> None:
    """The row is asked once more at the moment it counts: revoked, used up or gone."""
    address = path(link)
    rows = PortalLink.objects.filter(pk=link.pk)

    def meanwhile(found: PortalLink) -> Any:
        rows.update(**change) if change else rows.delete()
        return open_link(found)

    monkeypatch.setattr("alguna_portal.views.links.open_link", meanwhile)
    assert Client().post(address).status_code == status
    assert alguna.requests == []


def test_each_press_is_on_record_with_its_link(settings: Settings, alguna: Alguna, customer: Customer) -> None:
    """What opened, what was used up, and what was revoked; a page that is only looked at is not."""
    settings.ALGUNA_PORTAL_LINK_MAX_USES = 1
    link = send_link(customer)
    Client().get(path(link))
    press(link)
    press(link)
    Client().post(path(link), {"renew": "1"})
    link.revoke()
    press(link)
    Client().get(path(link))
    recorded = PortalAccess.objects.order_by("pk")
    assert [(each.outcome, each.link, each.customer, each.via) for each in recorded] == [
        ("opened", link, customer, "link"),
        ("denied", link, customer, "link"),
        ("denied", link, customer, "link"),
    ]
    alguna.fail(503)
    other = send_link(customer)
    press(other)
    last = PortalAccess.objects.latest("pk")
    assert (last.outcome, last.link) == ("unavailable", other)
    other.delete()
    last.refresh_from_db()
    assert last.link is None


def test_a_limited_link_says_so(settings: Settings, customer: Customer) -> None:
    """Where its recipient reads it."""
    for limit, said in ((1, "It can be used once."), (3, "It can be used 3 times.")):
        settings.ALGUNA_PORTAL_LINK_MAX_USES = limit
        link = send_link(customer)
        assert said in str(sent()[-1].body)
        assert said in html_of(sent()[-1])
        assert said in text(Client().get(path(link)))


def test_without_time_zones_none_is_named(settings: Settings, alguna: Alguna, link: PortalLink) -> None:
    """Some hosts have one clock and no zones."""
    settings.USE_TZ = False
    link.expires_at = datetime(2026, 11, 28, 12)  # noqa: DTZ001
    assert format_expiry(link) == "Nov. 28, 2026, noon"


@pytest.mark.parametrize(("status", "shown"), [(503, 503), (401, 502)])
def test_a_use_that_led_nowhere_is_given_back(
    settings: Settings, alguna: Alguna, customer: Customer, status: int, shown: int, caplog: pytest.LogCaptureFixture
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


def test_a_link_is_found_with_its_customer_and_a_made_up_one_costs_no_query(
    link: PortalLink, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Whoever tries out addresses does not reach the database."""
    token = path(link).rstrip("/").rpartition("/")[2]
    with django_assert_num_queries(1):
        found = get_link_by_token(token)
        assert found == link
        assert found.customer.name == "Acme"
    with django_assert_num_queries(0):
        assert get_link_by_token(token[:-1]) is None


def test_code_that_opens_a_link_gets_the_failure(alguna: Alguna, link: PortalLink) -> None:
    """As from `open_session`."""
    alguna.fail(503)
    with pytest.raises(AlgunaUnavailable):
        open_link(link)


def test_a_press_that_came_to_nothing_is_no_use(alguna: Alguna, link: PortalLink) -> None:
    """Neither counted nor dated."""
    alguna.fail(503)
    assert press(link).status_code == 503
    link.refresh_from_db()
    assert (link.uses, link.last_used_at) == (0, None)


@pytest.mark.parametrize("state", ["revoked", "over", "as it was"])
def test_a_link_that_ends_between_the_page_and_the_press(
    alguna: Alguna, link: PortalLink, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """It is answered once, whatever is read of it the next time."""

    def ends(found: PortalLink) -> None:
        if state == "revoked":
            found.revoke()
        if state == "over":
            PortalLink.objects.update(expires_at=NOW - timedelta(days=900))
        raise LinkUnusable

    monkeypatch.setattr("alguna_portal.views.links.open_link", ends)
    response = press(link)
    assert response.status_code == (404 if state == "revoked" else 410)
    assert PortalAccess.objects.get().outcome == "denied"
    assert alguna.requests == []


def test_a_link_is_looked_up_where_it_is_written(settings: Settings, link: PortalLink) -> None:
    """A replica may not know yet that it was revoked."""
    settings.DATABASE_ROUTERS = ["tests.support.database_routers.Replica"]
    assert get_link_by_token(path(link).rstrip("/").rpartition("/")[2]) == link
