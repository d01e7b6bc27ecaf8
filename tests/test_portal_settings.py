"""Portal settings: parsed strictly, merged from general to particular, written without unset fields."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alguna_portal.portal_settings import InvalidPortalSettings, PortalSettings

FIELDS = {
    "plan_overview_settings": ["show_section", "allow_subscription_cancel", "allow_self_serve_change"],
    "invoice_list_settings": ["show_section"],
    "billing_details_settings": [
        "show_section",
        "allow_autopay_edit",
        "allow_payment_method_edit",
        "allow_account_edit",
    ],
}
PERMISSIONS = [(section, field) for section, fields in FIELDS.items() for field in fields if field.startswith("allow_")]

raw_settings = st.fixed_dictionaries(
    {},
    optional={
        section: st.fixed_dictionaries({}, optional=dict.fromkeys(fields, st.booleans()))
        for section, fields in FIELDS.items()
    },
)


def drop_empty(raw: dict[str, dict[str, bool]]) -> dict[str, dict[str, bool]]:
    """Return the settings without empty sections, as the API expects them."""
    return {section: fields for section, fields in raw.items() if fields}


@given(raw_settings)
def test_payload_contains_the_fields_that_are_set(raw: dict[str, dict[str, bool]]) -> None:
    assert PortalSettings.parse(raw).payload() == drop_empty(raw)


@given(raw_settings, raw_settings)
def test_merge_overrides_field_by_field(general: dict[str, dict[str, bool]], own: dict[str, dict[str, bool]]) -> None:
    """Fields that the particular settings don't set keep their general values."""
    merged = PortalSettings.parse(general).merge(PortalSettings.parse(own)).payload()
    expected = {section: {**general.get(section, {}), **own.get(section, {})} for section in FIELDS}
    assert merged == drop_empty(expected)


@given(raw_settings)
def test_read_only_turns_every_permission_off(raw: dict[str, dict[str, bool]]) -> None:
    """The visible sections stay the same."""
    payload = PortalSettings.parse(raw).read_only().payload()
    assert all(payload[section][field] is False for section, field in PERMISSIONS)
    for section in FIELDS:
        assert payload.get(section, {}).get("show_section") == raw.get(section, {}).get("show_section")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ([], "Portal settings are a mapping of sections, not a list."),
        (None, "Portal settings are a mapping of sections, not null."),
        ("{}", "Portal settings are a mapping of sections, not a string."),
        ({"invoice_list_settings": 1}, "“invoice_list_settings” is a mapping of fields, not a number."),
        ({"invoices": {}}, "Portal settings have no section “invoices”. There is “plan_overview_settings”, "
         "“invoice_list_settings”, “billing_details_settings”."),
        ({"invoice_settings": {}}, "Portal settings have no section “invoice_settings”. "
         "Did you mean “invoice_list_settings”?"),
        ({"planOverviewSettings": {}}, "Portal settings have no section “planOverviewSettings”. "
         "Did you mean “plan_overview_settings”?"),
        ({"allow_autopay_edit": True}, "Portal settings have no section “allow_autopay_edit”. "
         "It is a field of “billing_details_settings”."),
        ({"show_section": True}, "Portal settings have no section “show_section”. It is a field of "
         "“plan_overview_settings”, “invoice_list_settings”, “billing_details_settings”."),
        ({"allowAutopayEdit": True}, "Portal settings have no section “allowAutopayEdit”. "
         "It is a field of “billing_details_settings”."),
        ({"plan_overview_settings": {"allow_cancel": True}}, "“plan_overview_settings” has no field “allow_cancel”. "
         "Did you mean “allow_subscription_cancel”?"),
        ({"plan_overview_settings": {"allowSubscriptionCancel": True}}, "“plan_overview_settings” has no field "
         "“allowSubscriptionCancel”. Did you mean “allow_subscription_cancel”?"),
        ({"plan_overview_settings": {"allow_account_edit": True}}, "“plan_overview_settings” has no field "
         "“allow_account_edit”. It is a field of “billing_details_settings”."),
        ({"plan_overview_settings": {7: True}}, "“plan_overview_settings” has no field “7”. There is "
         "“show_section”, “allow_subscription_cancel”, “allow_self_serve_change”."),
        ({"invoice_list_settings": {"show_section": "yes"}}, "“invoice_list_settings.show_section” is true or false, "
         "not a string; leave it out for Alguna's default."),
        ({"invoice_list_settings": {"show_section": 1}}, "“invoice_list_settings.show_section” is true or false, "
         "not a number; leave it out for Alguna's default."),
        ({"invoice_list_settings": {"show_section": 0.5}}, "“invoice_list_settings.show_section” is true or false, "
         "not a number; leave it out for Alguna's default."),
        ({"invoice_list_settings": {"show_section": []}}, "“invoice_list_settings.show_section” is true or false, "
         "not a list; leave it out for Alguna's default."),
        ({"x" * 61: {}}, f"Portal settings have no section “{'x' * 60}”. There is “plan_overview_settings”, "
         "“invoice_list_settings”, “billing_details_settings”."),
        ({"invoice_list_settings": {"show_section": None}}, "“invoice_list_settings.show_section” is true or false, "
         "not null; leave it out for Alguna's default."),
        ({"invoice_list_settings": {"show_section": {}}}, "“invoice_list_settings.show_section” is true or false, "
         "not a dict; leave it out for Alguna's default."),
    ],
)  # fmt: skip
def test_unknown_settings_are_rejected_with_the_nearest_name(raw: object, problem: str) -> None:
    with pytest.raises(InvalidPortalSettings) as caught:
        PortalSettings.parse(raw)
    assert caught.value.problems == [problem]
    assert str(caught.value) == problem


def test_parse_leniently_keeps_valid_fields_and_returns_all_problems() -> None:
    settings, problems = PortalSettings.parse_leniently(
        {"invoice_list_settings": {"show_section": False, "show": True}, "oops": {}}
    )
    assert settings.payload() == {"invoice_list_settings": {"show_section": False}}
    assert len(problems) == 2


def test_exception_can_be_pickled_and_lists_all_problems() -> None:
    with pytest.raises(InvalidPortalSettings) as caught:
        PortalSettings.parse({"invoice_list_settings": 1, "plan_overview_settings": 2})
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.problems == [
        "“invoice_list_settings” is a mapping of fields, not a number.",
        "“plan_overview_settings” is a mapping of fields, not a number.",
    ]
    assert str(copy) == " ".join(copy.problems)
    assert repr(copy) == f"InvalidPortalSettings({copy.problems})"
