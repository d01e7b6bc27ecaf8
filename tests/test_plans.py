"""Plans: defaults, then the plan, then the customer's own settings, then the role; closed when in doubt."""

from itertools import product
from typing import Any

import pytest
from pytest_django import Settings

from alguna_portal.models import Customer
from alguna_portal.plans import settings_for
from tests.support.logs import logged

CANCEL = ("plan_overview_settings", "allow_subscription_cancel")
UNSET, ON, OFF = {}, {CANCEL[0]: {CANCEL[1]: True}}, {CANCEL[0]: {CANCEL[1]: False}}  # type: ignore[var-annotated]
POWERS_OFF = {
    "plan_overview_settings": {"allow_subscription_cancel": False, "allow_self_serve_change": False},
    "billing_details_settings": {
        "allow_autopay_edit": False,
        "allow_payment_method_edit": False,
        "allow_account_edit": False,
    },
}


@pytest.mark.parametrize(("defaults", "plan", "own"), list(product([UNSET, ON, OFF], repeat=3)))
def test_the_most_particular_word_counts(
    settings: Settings, defaults: dict[str, Any], plan: dict[str, Any], own: dict[str, Any]
) -> None:
    """For a manager a field is what the customer says, else the plan, else the defaults, else unset."""
    settings.ALGUNA_PORTAL_DEFAULTS = defaults
    settings.ALGUNA_PORTAL_PLANS = {"pro": plan}
    customer = Customer(alias="acme", plan="pro", portal_settings=own)
    assert settings_for(customer).payload() == (own or plan or defaults)


@pytest.mark.parametrize(("defaults", "plan", "own"), list(product([UNSET, ON, OFF], repeat=3)))
def test_a_viewer_has_no_powers_whatever_is_configured(
    settings: Settings, defaults: dict[str, Any], plan: dict[str, Any], own: dict[str, Any]
) -> None:
    """The role comes last: nothing turns a power on again for a viewer."""
    settings.ALGUNA_PORTAL_DEFAULTS = defaults
    settings.ALGUNA_PORTAL_PLANS = {"pro": plan}
    customer = Customer(alias="acme", plan="pro", portal_settings=own)
    assert settings_for(customer, role="viewer").payload() == POWERS_OFF


def test_a_customer_without_a_plan_has_the_defaults(settings: Settings) -> None:
    """No plan is not an unknown plan."""
    settings.ALGUNA_PORTAL_DEFAULTS = ON
    assert settings_for(Customer(alias="acme")).payload() == ON


def test_a_plan_that_is_not_configured_allows_nothing_and_says_so(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """An unknown plan turns every power off, leaves the sections as the defaults have them, and warns."""
    settings.ALGUNA_PORTAL_DEFAULTS = {"invoice_list_settings": {"show_section": False}, **ON}
    customer = Customer(alias="acme", plan="platinum", portal_settings=ON)
    payload = settings_for(customer).payload()
    assert payload == {**POWERS_OFF, "invoice_list_settings": {"show_section": False}}
    customer.pk = 7
    settings_for(customer)
    said = "Plan 'platinum' is not in ALGUNA_PORTAL_PLANS. The portal opens without any powers."
    assert logged(caplog, "settings_doubted") == [
        ("WARNING", f"Customer (unsaved): {said}", {"customer": None, "plan": "platinum"}),
        ("WARNING", f"Customer 7: {said}", {"customer": 7, "plan": "platinum"}),
    ]


def test_settings_of_a_customer_that_cannot_be_read_allow_nothing_and_say_so(caplog: pytest.LogCaptureFixture) -> None:
    """A row that code spoiled closes the powers, keeps what it hides, and warns; the click goes on."""
    own = {"invoice_list_settings": {"show_section": False}, "allow_everything": True}
    payload = settings_for(Customer(alias="acme", plan="starter", portal_settings=own)).payload()
    assert payload == {**POWERS_OFF, "invoice_list_settings": {"show_section": False}}
    assert "“allow_everything”" in caplog.text


@pytest.mark.parametrize("plan", ["", "starter", "platinum"])
def test_a_role_that_does_not_exist_is_refused(plan: str) -> None:
    """A misspelt role must not pass for a powerful one; the error lists those there are."""
    with pytest.raises(ValueError, match="no role “owner”; the roles are manager, viewer"):
        settings_for(Customer(alias="acme", plan=plan), role="owner")


def test_what_a_customer_hides_stays_hidden_where_the_plan_is_unknown() -> None:
    """Failing closed opens nothing that was closed for this customer."""
    own = {"invoice_list_settings": {"show_section": False}}
    payload = settings_for(Customer(alias="acme", plan="platinum", portal_settings=own)).payload()
    assert payload == {**POWERS_OFF, **own}


def test_a_log_has_one_line_whatever_a_plan_is_called(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody writes into the log by the name of a plan or a field."""
    name = "x\nCRITICAL forged"
    settings_for(Customer(alias="acme", plan=name, portal_settings={name: {}, "invoice_list_settings": {name: 1}}))
    assert [record.getMessage().count("\n") for record in caplog.records] == [0, 0, 0]
