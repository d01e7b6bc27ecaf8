"""What the hosted portal shows and does under one session's settings, and what it refuses."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from . import changes, company, faults, sessions, subscriptions
from .company import read_card
from .types import JSON, PLANS, Plan, State, by_id, timestamp


class PortalRefused(Exception):
    """The portal does not do what was asked; `status`, `title` and `text` say it to a person."""

    status = 403
    title = "This is not available"
    text = "This portal link does not allow what you asked for. Please contact us if you need it."


class NothingThere(PortalRefused):
    """Nothing is behind the link."""

    status = 404
    title = "Page not found"
    text = "There is nothing at this address. Please check that you have the whole link."


class LinkExpired(PortalRefused):
    """The link was good once."""

    status = 410
    title = "This link has expired"
    text = "Billing links work for a limited time. Go back to where you came from and open a new one."


@dataclass(frozen=True, kw_only=True)
class Portal:
    """One customer's portal as one session may see it. What the session leaves unset is shown and allowed.

    `plans` are those that its customer can choose from.
    """

    state: State
    customer: JSON
    settings: JSON
    now: datetime
    plans: Sequence[Plan] = PLANS

    @property
    def shows_plan(self) -> bool:
        return self._set("plan_overview_settings", "show_section")

    @property
    def shows_invoices(self) -> bool:
        return self._set("invoice_list_settings", "show_section")

    @property
    def shows_billing(self) -> bool:
        return self._set("billing_details_settings", "show_section")

    @property
    def may_cancel(self) -> bool:
        return self.shows_plan and self._set("plan_overview_settings", "allow_subscription_cancel")

    @property
    def may_change_plan(self) -> bool:
        return self.shows_plan and self._set("plan_overview_settings", "allow_self_serve_change")

    @property
    def may_edit_auto_pay(self) -> bool:
        return self.shows_billing and self._set("billing_details_settings", "allow_autopay_edit")

    @property
    def may_edit_payment_method(self) -> bool:
        return self.shows_billing and self._set("billing_details_settings", "allow_payment_method_edit")

    @property
    def may_edit_account(self) -> bool:
        return self.shows_billing and self._set("billing_details_settings", "allow_account_edit")

    @property
    def subscriptions(self) -> list[JSON]:
        return subscriptions.of_customer(self.state, self.customer["id"])

    @property
    def invoices(self) -> list[JSON]:
        """Return the invoices, the newest first."""
        every = self.state["invoices"].values()
        own = [invoice for invoice in every if invoice["customer_id"] == self.customer["id"]]
        return sorted(own, key=lambda invoice: str(invoice["issued_on"]), reverse=True)

    def invoice(self, invoice_id: str) -> JSON:
        """Return one of the customer's invoices, where the session shows them."""
        _require(self.shows_invoices)
        return _only(invoice_id, self.invoices)

    def cancelable(self, subscription_id: str) -> JSON:
        """Return one of the customer's subscriptions, where the session allows to cancel it."""
        _require(self.may_cancel)
        return _only(subscription_id, self.subscriptions)

    def cancel(self, subscription_id: str) -> list[JSON]:
        """Cancel a subscription and return the events; none for one that is cancelled already, which stays so."""
        return changes.cancel(self.state, self.cancelable(subscription_id), now=self.now)

    def changeable(self, subscription_id: str) -> JSON:
        """Return one of the customer's subscriptions, where the session allows to change its plan."""
        _require(self.may_change_plan)
        return _only(subscription_id, self.subscriptions)

    def offers(self, subscription: JSON) -> list[Plan]:
        """Return the plans that a subscription can be moved to."""
        return [plan for plan in self.plans if plan.id != subscription["plan_id"]]

    def offered(self, subscription: JSON, plan_id: str) -> Plan:
        """Return one of these plans; raise NothingThere where it is none."""
        plan = by_id(self.offers(subscription), plan_id)
        if plan is None:
            raise NothingThere
        return plan

    def change_plan(self, subscription_id: str, plan_id: str) -> list[JSON]:
        """Move a subscription to a plan and return the events; none where it is there already."""
        subscription = self.changeable(subscription_id)
        _require(subscription["status"] != subscriptions.CANCELED)
        if subscription["plan_id"] == plan_id:
            return []
        return changes.change_plan(self.state, subscription, self.offered(subscription, plan_id), now=self.now)

    def set_auto_pay(self, *, on: bool) -> None:
        """Turn auto-pay on or off, where the session allows it."""
        _require(self.may_edit_auto_pay)
        self._change({"auto_pay": on})

    def payment_methods(self) -> list[JSON]:
        """Return the cards on file, where the session allows to replace them."""
        _require(self.may_edit_payment_method)
        methods: list[JSON] = self.customer["payment_methods"]
        return methods

    def replace_card(self, form: Mapping[str, str]) -> None:
        """Put the form's card in the place of those on file, where the session allows it; raise InvalidForm."""
        _require(self.may_edit_payment_method)
        self._change({"payment_methods": [read_card(form, now=self.now)]})

    def company_details(self) -> dict[str, str]:
        """Return what can be edited of the company, where the session allows it."""
        _require(self.may_edit_account)
        return company.details(self.customer)

    def edit_company(self, form: Mapping[str, str]) -> None:
        """Change the company's details, where the session allows it; raise InvalidForm."""
        _require(self.may_edit_account)
        self._change({**company.read_details(form, self.customer), "updated_at": timestamp(self.now)})

    def _change(self, changed: JSON) -> None:
        self.state["customers"][self.customer["id"]] = {**self.customer, **changed}

    def _set(self, section: str, name: str) -> bool:
        return bool(self.settings.get(section, {}).get(name, True))


def open_portal(state: State, token: str, *, now: datetime) -> Portal:
    """Return the portal that a token opens; raise NothingThere or LinkExpired."""
    session = sessions.by_token(state, token)
    if session is None:
        raise NothingThere
    if sessions.has_expired(session, now=now):
        raise LinkExpired
    customer = state["customers"][session["customer_id"]]
    return Portal(state=state, customer=customer, settings=session["settings"], now=now)


def _require(allowed: bool) -> None:  # noqa: FBT001
    if not allowed:
        raise PortalRefused


def _only(ident: str, records: list[JSON]) -> JSON:
    for record in records:
        if record["id"] == ident:
            return record
    raise NothingThere


# --- from alguna_portal.sandbox.engine.single_use


class LinkSpent(PortalRefused):
    """The link was opened before."""

    status = 410
    title = "This link has been used"
    text = "Each billing link opens once. Go back to where you came from and open a new one."


def single_use(state: State, default: str) -> str:
    """Return the reading that holds: the weather's, else the default."""
    return faults.current(state).single_use or default


def enter(state: State, token: str, *, browser: str, single_use: str, now: datetime) -> Portal:
    """Return the portal for a page below the landing; raise PortalRefused."""
    portal = open_portal(state, token, now=now)
    opened_by = sessions.opened_by(state, token)
    if single_use != "off" and opened_by not in (None, _digest(browser)):
        raise LinkSpent
    return portal


def land(state: State, token: str, *, browser: str, single_use: str, now: datetime) -> Portal:
    """Return the portal for its landing page, opened for this browser from now on; raise PortalRefused."""
    portal = enter(state, token, browser=browser, single_use=single_use, now=now)
    if single_use == "anywhere" and sessions.opened_by(state, token) is not None:
        raise LinkSpent
    sessions.set_opened_by(state, token, _digest(browser))
    return portal


def _digest(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()
