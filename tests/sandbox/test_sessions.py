"""Portal sessions over the API, and what they allow."""

from typing import Any

import pytest

from alguna_portal.sandbox.engine.portal import LinkExpired, PageNotFound, Portal, PortalError, enter_portal
from alguna_portal.sandbox.engine.types import JSON
from tests.sandbox.conftest import Alguna, read

PATH = "/customer-portal-sessions"


def opened(alguna: Alguna, session: JSON) -> Portal:
    return enter_portal(alguna.state, session["url"].rpartition("/")[2], now=alguna.clock())


def portal(alguna: Alguna, **settings: Any) -> Portal:
    customer = alguna.customer()
    session = read(alguna.ask("POST", PATH, {"customer_id": customer["id"], **settings}), status=200)
    return opened(alguna, session)


def test_a_session_says_whose_it_is_and_until_when(alguna: Alguna) -> None:
    """Five fields, all there, and the URL below the portal's own address."""
    customer = alguna.customer()
    session = read(alguna.ask("POST", PATH, {"customer_id": customer["id"]}), status=200)
    assert set(session) == {"id", "customer_id", "url", "created_at", "expires_at"}
    assert session["customer_id"] == customer["id"]
    assert session["created_at"] == "2026-04-01T10:00:00Z"
    assert session["expires_at"] == "2026-04-01T10:30:00Z"
    assert session["url"].startswith("https://portal.test/sandbox/hs/")


def test_each_session_has_its_own_id_and_token(alguna: Alguna) -> None:
    """Two calls without a key are two sessions."""
    customer = alguna.customer()
    first, second = (read(alguna.ask("POST", PATH, {"customer_id": customer["id"]}), status=200) for _ in "12")
    assert first["id"] != second["id"]
    assert first["url"] != second["url"]


def test_the_state_does_not_hold_the_token(alguna: Alguna) -> None:
    """Who reads the state cannot open a portal with it."""
    customer = alguna.customer()
    session = read(alguna.ask("POST", PATH, {"customer_id": customer["id"]}), status=200)
    assert session["url"].rpartition("/")[2] not in repr(alguna.state)


def test_the_id_wins_over_the_alias(alguna: Alguna) -> None:
    """The alias counts only where the id is absent or null."""
    first, second = alguna.customer(), alguna.customer(aliases=["two"])
    by_both = {"customer_id": first["id"], "customer_alias": "two"}
    assert read(alguna.ask("POST", PATH, by_both), status=200)["customer_id"] == first["id"]
    by_alias = {"customer_id": None, "customer_alias": "two"}
    assert read(alguna.ask("POST", PATH, by_alias), status=200)["customer_id"] == second["id"]
    read(alguna.ask("POST", PATH, {"customer_id": "nobody", "customer_alias": "two"}), status=404)


@pytest.mark.parametrize("sent", [{}, {"customer_id": None, "customer_alias": None}])
def test_no_customer_at_all_is_unprocessable(alguna: Alguna, sent: JSON) -> None:
    """One of the two identifiers is required."""
    detail = read(alguna.ask("POST", PATH, sent), status=422)["detail"]
    assert "customer_id" in detail
    assert "customer_alias" in detail


def test_an_unknown_customer_is_not_found(alguna: Alguna) -> None:
    """Neither an id used as alias nor an alias used as id finds anybody."""
    customer = alguna.customer(aliases=["one"])
    read(alguna.ask("POST", PATH, {"customer_id": "one"}), status=404)
    read(alguna.ask("POST", PATH, {"customer_alias": customer["id"]}), status=404)


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({"customer_id": 5}, "customer_id"),
        ({"customer_alias": ""}, "customer_alias"),
        ({"plan_overview_settings": None}, "plan_overview_settings"),
        ({"plan_overview_settings": []}, "plan_overview_settings"),
        ({"plan_overview_settings": {"show_section": "yes"}}, "plan_overview_settings.show_section"),
        ({"billing_details_settings": {"allow_autopay_edit": None}}, "billing_details_settings.allow_autopay_edit"),
        ({"invoice_list_settings": {"allow_download": True}}, "invoice_list_settings.allow_download"),
        ({"plan_overview_setting": {}}, "plan_overview_setting"),
    ],
)
def test_a_wrong_or_misspelt_field_is_named(alguna: Alguna, sent: JSON, named: str) -> None:
    """A typo must not leave a portal open that was meant to be closed."""
    customer = alguna.customer()
    answer = read(alguna.ask("POST", PATH, {"customer_id": customer["id"], **sent}), status=422)
    assert answer["detail"].startswith(f"{named} ")


def test_what_is_left_unset_is_shown_and_allowed(alguna: Alguna) -> None:
    """The organization's default hides nothing, in an empty section neither."""
    chosen: tuple[JSON, JSON] = ({}, {"plan_overview_settings": {}, "billing_details_settings": {}})
    for settings in chosen:
        shown = portal(alguna, **settings)
        assert shown.permissions["view_plan"]
        assert shown.permissions["view_invoices"]
        assert shown.permissions["view_billing"]
        assert shown.permissions["cancel"]
        assert shown.permissions["edit_auto_pay"]


def test_every_field_of_the_sections_is_known(alguna: Alguna) -> None:
    """The official SDK's fields are taken as well as the reference page's."""
    shown = portal(
        alguna,
        plan_overview_settings={
            "show_section": True,
            "allow_subscription_cancel": False,
            "allow_self_serve_change": True,
        },
        invoice_list_settings={"show_section": False},
        billing_details_settings={
            "show_section": True,
            "allow_autopay_edit": False,
            "allow_payment_method_edit": True,
            "allow_account_edit": True,
        },
    )
    assert (shown.permissions["view_plan"], shown.permissions["view_invoices"], shown.permissions["view_billing"]) == (
        True,
        False,
        True,
    )
    assert (shown.permissions["cancel"], shown.permissions["edit_auto_pay"]) == (False, False)


def test_a_hidden_section_takes_its_powers_along(alguna: Alguna) -> None:
    """What is not shown cannot be done either."""
    shown = portal(
        alguna,
        plan_overview_settings={"show_section": False, "allow_subscription_cancel": True},
        billing_details_settings={"show_section": False, "allow_autopay_edit": True},
    )
    with pytest.raises(PortalError):
        shown.cancel(shown.subscriptions[0]["id"])
    with pytest.raises(PortalError):
        shown.set_auto_pay(on=False)
    assert shown.subscriptions[0]["status"] == "active"


def test_a_portal_holds_nothing_of_another_customer(alguna: Alguna) -> None:
    """Another's invoice and subscription are not there, by list or by id."""
    mine, other = portal(alguna), portal(alguna)
    assert len(mine.invoices) == 3
    assert len(mine.subscriptions) == 1
    with pytest.raises(PageNotFound):
        mine.get_invoice(other.invoices[0]["id"])
    with pytest.raises(PageNotFound):
        mine.cancel(other.subscriptions[0]["id"])
    assert other.subscriptions[0]["status"] == "active"


def test_a_cancellation_ends_the_charges_and_happens_once(alguna: Alguna) -> None:
    """A second press changes nothing, the time of change included."""
    shown = portal(alguna)
    shown.cancel(shown.subscriptions[0]["id"])
    (ended,) = shown.subscriptions
    assert (ended["status"], ended["next_charge_cents"], ended["next_charge_on"]) == ("canceled", None, None)
    alguna.clock.move(minutes=5)
    later = Portal(state=alguna.state, customer=shown.customer, settings={}, now=alguna.clock())
    later.cancel(ended["id"])
    assert later.subscriptions == [ended]
    answer = read(alguna.ask("GET", "/subscriptions", query={"status": "canceled"}), status=200)
    assert answer["data"] == [ended]


def test_the_newest_invoice_comes_first(alguna: Alguna) -> None:
    """As people look for it."""
    assert [invoice["status"] for invoice in portal(alguna).invoices] == ["issued", "overdue", "paid"]


def test_a_link_opens_until_its_very_end_and_not_then(alguna: Alguna) -> None:
    """An expired link is told from an unknown one."""
    customer = alguna.customer()
    session = read(alguna.ask("POST", PATH, {"customer_id": customer["id"]}), status=200)
    alguna.clock.move(minutes=29, seconds=59)
    assert opened(alguna, session).customer["id"] == customer["id"]
    alguna.clock.move(seconds=1)
    with pytest.raises(LinkExpired):
        opened(alguna, session)
    with pytest.raises(PageNotFound):
        opened(alguna, {"url": "https://portal.test/hs/unknown"})
