"""The portal guide's earlier API."""

import json
from typing import Any

import pytest

from alguna_portal.sandbox.engine.portal import Portal, enter_portal
from alguna_portal.sandbox.engine.types import JSON
from tests.sandbox.conftest import HEADERS, Alguna, Door, read, text

PATH = "/portal/customer-session/customer-portal"
NO_VERSION = {"Authorization": HEADERS["Authorization"]}


def portal(alguna: Alguna, **sent: Any) -> Portal:
    answer = read(alguna.ask("POST", PATH, sent, headers=NO_VERSION), status=200)
    assert set(answer) == {"sessionUrl"}
    return enter_portal(alguna.state, answer["sessionUrl"].rpartition("/")[2], now=alguna.clock())


def test_it_needs_no_version_and_answers_a_url_alone(alguna: Alguna) -> None:
    """By id or by alias, the id winning; the version header does no harm."""
    one, two = alguna.customer(), alguna.customer(aliases=["two"])
    assert portal(alguna, accountId=one["id"], accountAlias="two").customer == one
    assert portal(alguna, accountAlias="two").customer == two
    assert alguna.ask("POST", PATH, {"accountAlias": "two"}).status == 200


def test_it_needs_a_key(alguna: Alguna) -> None:
    """The gateway is the same."""
    assert alguna.ask("POST", PATH, {}, headers={}).status == 401
    assert alguna.ask("GET", PATH, headers=NO_VERSION).status == 405


def test_everything_is_shown_and_allowed_unless_it_is_said(alguna: Alguna) -> None:
    """Every default is true."""
    customer = alguna.customer()
    shown = portal(alguna, accountId=customer["id"], planOverviewSettings={})
    assert (
        shown.permissions["view_plan"],
        shown.permissions["view_invoices"],
        shown.permissions["view_billing"],
        shown.permissions["cancel"],
    ) == (True,) * 4
    hidden = portal(
        alguna,
        accountId=customer["id"],
        planOverviewSettings={"showSection": True, "allowSubscriptionCancel": False},
        invoiceListSettings={"showSection": False},
        billingDetailsSettings={"showSection": False},
    )
    assert (
        hidden.permissions["view_plan"],
        hidden.permissions["view_invoices"],
        hidden.permissions["view_billing"],
    ) == (True, False, False)
    assert not hidden.permissions["cancel"]


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({"customer_alias": "one"}, "customer_alias"),
        ({"accountAlias": 5}, "accountAlias"),
        ({"plan_overview_settings": {}}, "plan_overview_settings"),
        ({"planOverviewSettings": []}, "planOverviewSettings"),
        ({"planOverviewSettings": {"show_section": True}}, "planOverviewSettings.show_section"),
        ({"billingDetailsSettings": {"allowAutopayEdit": True}}, "billingDetailsSettings.allowAutopayEdit"),
        ({"invoiceListSettings": {"showSection": "no"}}, "invoiceListSettings.showSection"),
    ],
)
def test_a_field_it_lacks_is_named(alguna: Alguna, sent: JSON, named: str) -> None:
    """Those of the dated API, too."""
    alguna.customer(aliases=["one"])
    answer = read(alguna.ask("POST", PATH, {"accountAlias": "one", **sent}, headers=NO_VERSION), status=422)
    assert answer["detail"].startswith(f"{named} ")


def test_an_account_must_be_named_and_known(alguna: Alguna) -> None:
    """422 without one, 404 for a stranger."""
    detail = read(alguna.ask("POST", PATH, {}, headers=NO_VERSION), status=422)["detail"]
    assert "accountId" in detail
    assert "accountAlias" in detail
    read(alguna.ask("POST", PATH, {"accountAlias": "nobody"}, headers=NO_VERSION), status=404)


def test_a_key_replays_here_too(alguna: Alguna) -> None:
    """Idempotency is every POST's."""
    alguna.customer(aliases=["one"])
    first, again = (alguna.ask("POST", PATH, {"accountAlias": "one"}, headers=NO_VERSION, key="k") for _ in "12")
    assert first.body == again.body


def test_its_url_opens_the_same_portal(door: Door) -> None:
    """Over HTTP."""
    door.customer(aliases=["one"])
    answer = door.client.post(
        f"/sandbox{PATH}", {"accountAlias": "one"}, content_type="application/json", headers=NO_VERSION
    )
    path = json.loads(answer.content)["sessionUrl"].removeprefix("http://testserver")
    assert "Plan Overview" in text(door.client.get(path))
