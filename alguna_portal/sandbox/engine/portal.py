"""The hosted portal: what a session shows and allows, changes by the customer, and single-use links.

Alguna calls its portal links single-use and doesn't document what that means. There are three modes: with "off",
links open any number of times; with "browser", only in the browser that opened them first; with "anywhere", only
once, and the portal's other pages then work in that browser.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from . import faults, sessions
from .portal_forms import get_company_details, parse_card, parse_company_details
from .subscriptions import CANCELED, cancel_subscription, get_subscriptions, switch_plan
from .types import DEFAULT_PLANS, JSON, Plan, State, find_plan, format_timestamp


class PortalError(Exception):
    """The portal rejects a request; `status`, `title` and `text` are for the error page."""

    status = 403
    title = "This is not available"
    text = "This portal link does not allow what you asked for. Please contact us if you need it."


class PageNotFound(PortalError):
    """No page has this address."""

    status = 404
    title = "Page not found"
    text = "There is nothing at this address. Please check that you have the whole link."


class LinkExpired(PortalError):
    """The link's session has expired."""

    status = 410
    title = "This link has expired"
    text = "Billing links work for a limited time. Go back to where you came from and open a new one."


class LinkUsed(PortalError):
    """The single-use link has been opened before."""

    status = 410
    title = "This link has been used"
    text = "Each billing link opens once. Go back to where you came from and open a new one."


# The session's settings that the permissions depend on, as section and name.
PERMISSIONS = {
    "view_plan": ("plan_overview_settings", "show_section"),
    "change_plan": ("plan_overview_settings", "allow_self_serve_change"),
    "cancel": ("plan_overview_settings", "allow_subscription_cancel"),
    "view_invoices": ("invoice_list_settings", "show_section"),
    "view_billing": ("billing_details_settings", "show_section"),
    "edit_auto_pay": ("billing_details_settings", "allow_autopay_edit"),
    "edit_payment_method": ("billing_details_settings", "allow_payment_method_edit"),
    "edit_account": ("billing_details_settings", "allow_account_edit"),
}


@dataclass(frozen=True, kw_only=True)
class Portal:
    """A customer's portal with the settings of a session; settings that aren't set are on.

    `plans` are the plans that the customer can choose from. Methods raise PortalError if the session doesn't allow
    what they do, and PageNotFound if the customer doesn't have such a record.
    """

    state: State
    customer: JSON
    settings: JSON
    now: datetime
    plans: Sequence[Plan] = DEFAULT_PLANS

    @property
    def permissions(self) -> dict[str, bool]:
        """Return the value of each permission; a hidden section allows nothing."""
        return {
            name: all(self.settings.get(section, {}).get(each, True) for each in ("show_section", setting))
            for name, (section, setting) in PERMISSIONS.items()
        }

    @property
    def subscriptions(self) -> list[JSON]:
        return get_subscriptions(self.state, self.customer["id"])

    @property
    def invoices(self) -> list[JSON]:
        """Return the invoices, the newest first."""
        invoices = self.state["invoices"].values()
        own = [invoice for invoice in invoices if invoice["customer_id"] == self.customer["id"]]
        return sorted(own, key=lambda invoice: str(invoice["issued_on"]), reverse=True)

    def get_invoice(self, invoice_id: str) -> JSON:
        """Return one of the customer's invoices."""
        self._require("view_invoices")
        return _find(invoice_id, self.invoices)

    def get_subscription(self, subscription_id: str, permission: str) -> JSON:
        """Return one of the customer's subscriptions, if the session has a permission."""
        self._require(permission)
        return _find(subscription_id, self.subscriptions)

    def cancel(self, subscription_id: str) -> list[JSON]:
        """Cancel a subscription; return the events, none if it is already cancelled."""
        return cancel_subscription(self.state, self.get_subscription(subscription_id, "cancel"), now=self.now)

    def get_other_plans(self, subscription: JSON) -> list[Plan]:
        """Return the plans that a subscription can be moved to."""
        return [plan for plan in self.plans if plan.id != subscription["plan_id"]]

    def get_other_plan(self, subscription: JSON, plan_id: str) -> Plan:
        """Return one of the plans that a subscription can be moved to."""
        plan = find_plan(self.get_other_plans(subscription), plan_id)
        if plan is None:
            raise PageNotFound
        return plan

    def change_plan(self, subscription_id: str, plan_id: str) -> list[JSON]:
        """Move a subscription to a plan; return the events, none if it already has the plan."""
        subscription = self.get_subscription(subscription_id, "change_plan")
        if subscription["status"] == CANCELED:
            raise PortalError
        if subscription["plan_id"] == plan_id:
            return []
        return switch_plan(self.state, subscription, self.get_other_plan(subscription, plan_id), now=self.now)

    def set_auto_pay(self, *, on: bool) -> None:
        """Turn auto-pay on or off."""
        self._require("edit_auto_pay")
        self._update_customer({"auto_pay": on})

    def get_payment_methods(self) -> list[JSON]:
        """Return the cards on file, if the session allows their replacement."""
        self._require("edit_payment_method")
        methods: list[JSON] = self.customer["payment_methods"]
        return methods

    def replace_card(self, form: Mapping[str, str]) -> None:
        """Replace the cards on file by the one in a form; raise InvalidForm."""
        self._require("edit_payment_method")
        self._update_customer({"payment_methods": [parse_card(form, now=self.now)]})

    def get_company_details(self) -> dict[str, str]:
        """Return the editable company details."""
        self._require("edit_account")
        return get_company_details(self.customer)

    def edit_company(self, form: Mapping[str, str]) -> None:
        """Save the company details in a form; raise InvalidForm."""
        self._require("edit_account")
        details = parse_company_details(form, self.customer)
        self._update_customer({**details, "updated_at": format_timestamp(self.now)})

    def _update_customer(self, changes: JSON) -> None:
        self.state["customers"][self.customer["id"]] = {**self.customer, **changes}

    def _require(self, permission: str) -> None:
        if not self.permissions[permission]:
            raise PortalError


def _find(record_id: str, records: list[JSON]) -> JSON:
    for record in records:
        if record["id"] == record_id:
            return record
    raise PageNotFound


def get_single_use_mode(state: State, default: str) -> str:
    """Return the simulated mode of single use or, without one, the default."""
    return faults.get_fault(state).parts.get("single-use", default)


def enter_portal(state: State, token: str, *, browser: str, single_use: str, now: datetime) -> Portal:
    """Return the portal for one of its pages; raise PortalError."""
    session = _get_session(state, token, browser=browser, single_use=single_use, now=now)
    customer = state["customers"][session["customer_id"]]
    return Portal(state=state, customer=customer, settings=session["settings"], now=now)


def open_link(state: State, token: str, *, browser: str, single_use: str, now: datetime) -> None:
    """Record that a browser opens the portal's link; raise PortalError."""
    session = _get_session(state, token, browser=browser, single_use=single_use, now=now)
    if single_use == "anywhere" and "opened_by" in session:
        raise LinkUsed
    sessions.set_opened_by(state, token, _hash(browser))


def _get_session(state: State, token: str, *, browser: str, single_use: str, now: datetime) -> JSON:
    """Return the session if it hasn't expired and no other browser has opened its link."""
    session = sessions.find_session(state, token)
    if session is None:
        raise PageNotFound
    if now >= datetime.fromisoformat(session["expires_at"]):
        raise LinkExpired
    if single_use != "off" and session.get("opened_by") not in (None, _hash(browser)):
        raise LinkUsed
    return session


def _hash(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()
