"""Portal settings by defaults, plan, customer and role."""

from itertools import product
from typing import Any

import pytest
from pytest_django import Settings

from alguna_portal.models import Customer
from alguna_portal.plans import settings_for
from tests.support.logs import get_log_events

CANCEL = ("plan_overview_settings", "allow_subscription_cancel")
UNSET, ON, OFF = {}, {CANCEL[0]: {CANCEL[1]: True}}, {CANCEL[0]: {CANCEL[1]: False}}  # type: ignore[var-annotated]
NO_PERMISSIONS = {
    "plan_overview_settings": {"allow_subscription_cancel": False, "allow_self_serve_change": False},
    "billing_details_settings": {
        "allow_autopay_edit": False,
        "allow_payment_method_edit": False,
        "allow_account_edit": False,
    },
}


@pytest.mark.parametrize(("defaults", "plan", "own"), list(product([UNSET, ON, OFF], repeat=3)))
def test_the_most_specific_setting_counts(
    settings: Settings, defaults: dict[str, Any], plan: dict[str, Any], own: dict[str, Any]
) -> None:
    settings.ALGUNA_PORTAL_DEFAULTS = defaults
    settings.ALGUNA_PORTAL_PLANS = {"pro": plan}
    customer = Customer(alias="acme", plan="pro", portal_settings=own)
    assert settings_for(customer).payload() == (own or plan or defaults)


@pytest.mark.parametrize(("defaults", "plan", "own"), list(product([UNSET, ON, OFF], repeat=3)))
def test_a_viewer_has_no_permissions(
    settings: Settings, defaults: dict[str, Any], plan: dict[str, Any], own: dict[str, Any]
) -> None:
    settings.ALGUNA_PORTAL_DEFAULTS = defaults
    settings.ALGUNA_PORTAL_PLANS = {"pro": plan}
    customer = Customer(alias="acme", plan="pro", portal_settings=own)
    assert settings_for(customer, role="viewer").payload() == NO_PERMISSIONS


def test_a_customer_without_a_plan_has_the_defaults(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_DEFAULTS = ON
    assert settings_for(Customer(alias="acme")).payload() == ON


def test_an_unknown_plan_turns_permissions_off_and_is_logged(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """The sections follow the defaults."""
    settings.ALGUNA_PORTAL_DEFAULTS = {"invoice_list_settings": {"show_section": False}, **ON}
    customer = Customer(alias="acme", plan="platinum", portal_settings=ON)
    payload = settings_for(customer).payload()
    assert payload == {**NO_PERMISSIONS, "invoice_list_settings": {"show_section": False}}
    customer.pk = 7
    settings_for(customer)
    message = "Plan 'platinum' is not in ALGUNA_PORTAL_PLANS. The portal opens without any powers."
    assert get_log_events(caplog, "settings_doubted") == [
        ("WARNING", f"Customer (unsaved): {message}", {"customer": None, "plan": "platinum"}),
        ("WARNING", f"Customer 7: {message}", {"customer": 7, "plan": "platinum"}),
    ]


def test_invalid_settings_of_a_customer_turn_permissions_off_and_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    own = {"invoice_list_settings": {"show_section": False}, "allow_everything": True}
    payload = settings_for(Customer(alias="acme", plan="starter", portal_settings=own)).payload()
    assert payload == {**NO_PERMISSIONS, "invoice_list_settings": {"show_section": False}}
    assert "“allow_everything”" in caplog.text


@pytest.mark.parametrize("plan", ["", "starter", "platinum"])
def test_an_unknown_role_is_an_error(plan: str) -> None:
    with pytest.raises(ValueError, match="no role “owner”; the roles are manager, viewer"):
        settings_for(Customer(alias="acme", plan=plan), role="owner")


def test_with_an_unknown_plan_the_customers_hidden_sections_stay_hidden() -> None:
    own = {"invoice_list_settings": {"show_section": False}}
    payload = settings_for(Customer(alias="acme", plan="platinum", portal_settings=own)).payload()
    assert payload == {**NO_PERMISSIONS, **own}


def test_names_of_plans_and_fields_can_not_add_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    name = "x\nCRITICAL forged"
    settings_for(Customer(alias="acme", plan=name, portal_settings={name: {}, "invoice_list_settings": {name: 1}}))
    assert [record.getMessage().count("\n") for record in caplog.records] == [0, 0, 0]
