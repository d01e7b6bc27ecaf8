"""The earlier API, as the portal guide has it: camelCase, no version header, a URL and nothing else in the answer.

It opens the same portal by the same kind of session. All that differs stands here, so that it can go in one piece.
"""

from .sessions import make, named_customer
from .types import JSON, Answer, Call, json_answer
from .validation import Fields, decode

PATH = "/portal/customer-session/customer-portal"

# Its sections and their fields, by the names that a session keeps them under.
SECTIONS = {
    "planOverviewSettings": (
        "plan_overview_settings",
        {"showSection": "show_section", "allowSubscriptionCancel": "allow_subscription_cancel"},
    ),
    "invoiceListSettings": ("invoice_list_settings", {"showSection": "show_section"}),
    "billingDetailsSettings": ("billing_details_settings", {"showSection": "show_section"}),
}


def create(call: Call) -> Answer:
    """Answer POST /portal/customer-session/customer-portal."""
    fields = decode(call.request.body)
    fields.only({"accountId", "accountAlias", *SECTIONS})
    settings = _settings(fields)
    account = named_customer(call.state, fields, "accountId", "accountAlias")
    return json_answer({"sessionUrl": make(call, account, settings)["url"]})


def _settings(fields: Fields) -> JSON:
    settings: JSON = {}
    for section, (kept_as, names) in SECTIONS.items():
        if fields.has(section):
            inner = fields.inner(section)
            inner.only(names)
            settings[kept_as] = {kept: inner.flag(name) for name, kept in names.items() if inner.has(name)}
    return settings
