"""Portal sessions of both APIs in the engine, and what they show and allow; see also tests/contract."""

from typing import Any

import pytest

from alguna_portal.sandbox.engine.portal import (
    PERMISSIONS,
    LinkExpired,
    PageNotFound,
    Portal,
    PortalError,
    enter_portal,
)
from alguna_portal.sandbox.engine.types import JSON
from tests.sandbox.conftest import HEADERS, EngineClient, get_json

PATH = "/customer-portal-sessions"
LEGACY_PATH = "/portal/customer-session/customer-portal"
NO_VERSION = {"Authorization": HEADERS["Authorization"]}
ALL_ALLOWED = dict.fromkeys(PERMISSIONS, True)


def create_session(engine: EngineClient) -> JSON:
    return get_json(engine.request("POST", PATH, {"customer_id": engine.create_customer()["id"]}))


def open_url(engine: EngineClient, url: str) -> Portal:
    return enter_portal(engine.state, url.rpartition("/")[2], browser="", single_use="off", now=engine.clock())


def open_portal(engine: EngineClient, **settings: Any) -> Portal:
    customer = engine.create_customer()
    session = get_json(engine.request("POST", PATH, {"customer_id": customer["id"], **settings}))
    return open_url(engine, session["url"])


def open_legacy_portal(engine: EngineClient, **data: Any) -> Portal:
    response = get_json(engine.request("POST", LEGACY_PATH, data, headers=NO_VERSION))
    assert set(response) == {"sessionUrl"}
    return open_url(engine, response["sessionUrl"])


def test_response_has_the_customer_the_times_and_the_url(engine: EngineClient) -> None:
    customer = engine.create_customer()
    session = get_json(engine.request("POST", PATH, {"customer_id": customer["id"]}))
    assert set(session) == {"id", "customer_id", "url", "created_at", "expires_at"}
    assert session["customer_id"] == customer["id"]
    assert session["created_at"] == "2026-04-01T10:00:00Z"
    assert session["expires_at"] == "2026-04-01T10:30:00Z"
    assert session["url"].startswith("https://portal.test/sandbox/hs/")


def test_state_does_not_contain_the_token(engine: EngineClient) -> None:
    assert create_session(engine)["url"].rpartition("/")[2] not in repr(engine.state)


def test_unknown_customer_id_returns_404_even_with_a_known_alias(engine: EngineClient) -> None:
    customer = engine.create_customer(aliases=["one"])
    for data in ({"customer_id": "nobody", "customer_alias": "one"}, {"customer_alias": customer["id"]}):
        get_json(engine.request("POST", PATH, data), status=404)


def test_legacy_api_prefers_the_id_and_ignores_the_version_header(engine: EngineClient) -> None:
    one, two = engine.create_customer(), engine.create_customer(aliases=["two"])
    assert open_legacy_portal(engine, accountId=one["id"], accountAlias="two").customer == one
    assert open_legacy_portal(engine, accountAlias="two").customer == two
    assert engine.request("POST", LEGACY_PATH, {"accountAlias": "two"}).status == 200


@pytest.mark.parametrize(
    ("path", "data", "names"),
    [
        (PATH, {}, ("customer_id", "customer_alias")),
        (PATH, {"customer_id": None, "customer_alias": None}, ("customer_id", "customer_alias")),
        (LEGACY_PATH, {}, ("accountId", "accountAlias")),
    ],
)
def test_error_without_customer_names_both_fields(
    engine: EngineClient, path: str, data: JSON, names: tuple[str, str]
) -> None:
    detail = get_json(engine.request("POST", path, data), status=422)["detail"]
    assert all(name in detail for name in names)


@pytest.mark.parametrize(
    ("path", "data", "name"),
    [
        (PATH, {"customer_id": 5}, "customer_id"),
        (PATH, {"customer_alias": ""}, "customer_alias"),
        (PATH, {"plan_overview_settings": None}, "plan_overview_settings"),
        (PATH, {"plan_overview_settings": []}, "plan_overview_settings"),
        (PATH, {"plan_overview_settings": {"show_section": "yes"}}, "plan_overview_settings.show_section"),
        (
            PATH,
            {"billing_details_settings": {"allow_autopay_edit": None}},
            "billing_details_settings.allow_autopay_edit",
        ),
        (PATH, {"invoice_list_settings": {"allow_download": True}}, "invoice_list_settings.allow_download"),
        (PATH, {"plan_overview_setting": {}}, "plan_overview_setting"),
        (LEGACY_PATH, {"customer_alias": "one"}, "customer_alias"),
        (LEGACY_PATH, {"accountAlias": 5}, "accountAlias"),
        (LEGACY_PATH, {"plan_overview_settings": {}}, "plan_overview_settings"),
        (LEGACY_PATH, {"planOverviewSettings": []}, "planOverviewSettings"),
        (LEGACY_PATH, {"planOverviewSettings": {"show_section": True}}, "planOverviewSettings.show_section"),
        (
            LEGACY_PATH,
            {"billingDetailsSettings": {"allowAutopayEdit": True}},
            "billingDetailsSettings.allowAutopayEdit",
        ),
        (LEGACY_PATH, {"invoiceListSettings": {"showSection": "no"}}, "invoiceListSettings.showSection"),
    ],
)
def test_error_has_the_path_of_the_invalid_field(engine: EngineClient, path: str, data: JSON, name: str) -> None:
    """A misspelt setting must not leave the portal open."""
    engine.create_customer(aliases=["one"])
    field = "customer_alias" if path == PATH else "accountAlias"
    detail = get_json(engine.request("POST", path, {field: "one", **data}), status=422)["detail"]
    assert detail.startswith(f"{name} ")


@pytest.mark.parametrize("settings", [{}, {"plan_overview_settings": {}, "billing_details_settings": {}}])
def test_unset_settings_are_on(engine: EngineClient, settings: JSON) -> None:
    assert open_portal(engine, **settings).permissions == ALL_ALLOWED


def test_settings_set_permissions(engine: EngineClient) -> None:
    plan_settings = {"show_section": True, "allow_subscription_cancel": False, "allow_self_serve_change": True}
    portal = open_portal(
        engine,
        plan_overview_settings=plan_settings,
        invoice_list_settings={"show_section": False},
        billing_details_settings={
            "show_section": True,
            "allow_autopay_edit": False,
            "allow_payment_method_edit": True,
            "allow_account_edit": True,
        },
    )
    denied = dict.fromkeys(("cancel", "view_invoices", "edit_auto_pay"), False)
    assert portal.permissions == {**ALL_ALLOWED, **denied}


def test_legacy_settings_set_permissions(engine: EngineClient) -> None:
    customer = engine.create_customer()
    portal = open_legacy_portal(engine, accountId=customer["id"], planOverviewSettings={})
    assert portal.permissions == ALL_ALLOWED
    portal = open_legacy_portal(
        engine,
        accountId=customer["id"],
        planOverviewSettings={"showSection": True, "allowSubscriptionCancel": False},
        invoiceListSettings={"showSection": False},
        billingDetailsSettings={"showSection": False},
    )
    allowed = dict.fromkeys(("view_plan", "change_plan"), True)
    assert portal.permissions == {**dict.fromkeys(ALL_ALLOWED, False), **allowed}


def test_hidden_section_denies_its_permissions(engine: EngineClient) -> None:
    portal = open_portal(
        engine,
        plan_overview_settings={"show_section": False, "allow_subscription_cancel": True},
        billing_details_settings={"show_section": False, "allow_autopay_edit": True},
    )
    with pytest.raises(PortalError):
        portal.cancel(portal.subscriptions[0]["id"])
    with pytest.raises(PortalError):
        portal.set_auto_pay(on=False)
    assert portal.subscriptions[0]["status"] == "active"


def test_portal_has_no_records_of_other_customers(engine: EngineClient) -> None:
    portal, other = open_portal(engine), open_portal(engine)
    assert len(portal.invoices) == 3
    assert len(portal.subscriptions) == 1
    with pytest.raises(PageNotFound):
        portal.get_invoice(other.invoices[0]["id"])
    with pytest.raises(PageNotFound):
        portal.cancel(other.subscriptions[0]["id"])
    assert other.subscriptions[0]["status"] == "active"


def test_second_cancellation_changes_nothing(engine: EngineClient) -> None:
    portal = open_portal(engine)
    portal.cancel(portal.subscriptions[0]["id"])
    (canceled,) = portal.subscriptions
    assert canceled["status"] == "canceled"
    assert (canceled["next_charge_cents"], canceled["next_charge_on"]) == (None, None)
    engine.clock.move(minutes=5)
    later = Portal(state=engine.state, customer=portal.customer, settings={}, now=engine.clock())
    later.cancel(canceled["id"])
    assert later.subscriptions == [canceled]
    response = engine.request("GET", "/subscriptions", query={"status": "canceled"})
    assert get_json(response)["data"] == [canceled]


def test_newest_invoice_is_first(engine: EngineClient) -> None:
    assert [invoice["status"] for invoice in open_portal(engine).invoices] == ["issued", "overdue", "paid"]


def test_link_expires_with_its_session(engine: EngineClient) -> None:
    session = create_session(engine)
    engine.clock.move(minutes=29, seconds=59)
    assert open_url(engine, session["url"]).customer["id"] == session["customer_id"]
    engine.clock.move(seconds=1)
    with pytest.raises(LinkExpired):
        open_url(engine, session["url"])
    with pytest.raises(PageNotFound):
        open_url(engine, "https://portal.test/hs/unknown")
