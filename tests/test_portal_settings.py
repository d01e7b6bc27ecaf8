"""Portal settings: read strictly, merged from general to particular, unset fields left out."""

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
POWERS = [(section, field) for section, fields in FIELDS.items() for field in fields if field.startswith("allow_")]

raw_settings = st.fixed_dictionaries(
    {},
    optional={
        section: st.fixed_dictionaries({}, optional=dict.fromkeys(fields, st.booleans()))
        for section, fields in FIELDS.items()
    },
)


def written(raw: dict[str, dict[str, bool]]) -> dict[str, dict[str, bool]]:
    """Say what should stand on the wire for these settings: all of them, but for empty sections."""
    return {section: fields for section, fields in raw.items() if fields}


@given(raw_settings)
def test_what_is_read_is_written_and_nothing_else(raw: dict[str, dict[str, bool]]) -> None:
    """Every field that is set goes on the wire as it is; what is unset, and an empty section, does not."""
    assert PortalSettings.parse(raw).payload() == written(raw)


@given(raw_settings, raw_settings)
def test_the_particular_wins_field_by_field(
    general: dict[str, dict[str, bool]], own: dict[str, dict[str, bool]]
) -> None:
    """A merge takes each field from the particular settings, and from the general ones where those are silent."""
    merged = PortalSettings.parse(general).merge(PortalSettings.parse(own)).payload()
    expected = {section: {**general.get(section, {}), **own.get(section, {})} for section in FIELDS}
    assert merged == written(expected)


@given(raw_settings)
def test_read_only_takes_every_power_and_nothing_else(raw: dict[str, dict[str, bool]]) -> None:
    """Whatever was set, a read-only portal has every `allow_*` off and shows the same sections."""
    payload = PortalSettings.parse(raw).read_only().payload()
    assert all(payload[section][field] is False for section, field in POWERS)
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
def test_what_the_api_does_not_know_is_refused_with_the_nearest_right_name(raw: object, problem: str) -> None:
    """Each kind of mistake has a sentence of its own, with the remedy."""
    with pytest.raises(InvalidPortalSettings) as caught:
        PortalSettings.parse(raw)
    assert caught.value.problems == [problem]
    assert str(caught.value) == problem


def test_every_problem_is_named_at_once_and_the_rest_is_kept() -> None:
    """Salvaging keeps the fields that are right and names each that is wrong."""
    settings, problems = PortalSettings.parse_leniently(
        {"invoice_list_settings": {"show_section": False, "show": True}, "oops": {}}
    )
    assert settings.payload() == {"invoice_list_settings": {"show_section": False}}
    assert len(problems) == 2


def test_what_is_wrong_survives_pickling_and_is_told_in_one_line() -> None:
    """As where a worker reports it: every problem, one sentence after the other."""
    with pytest.raises(InvalidPortalSettings) as caught:
        PortalSettings.parse({"invoice_list_settings": 1, "plan_overview_settings": 2})
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.problems == [
        "“invoice_list_settings” is a mapping of fields, not a number.",
        "“plan_overview_settings” is a mapping of fields, not a number.",
    ]
    assert str(again) == " ".join(again.problems)
    assert repr(again) == f"InvalidPortalSettings({again.problems})"
