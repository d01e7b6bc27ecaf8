"""What the hosted portal shows and does under one session's settings, and what it refuses."""

from dataclasses import dataclass
from datetime import datetime

from . import sessions, subscriptions
from .messages import JSON, State


class RefusedError(Exception):
    """The portal does not do what was asked; `status`, `title` and `text` say it to a person."""

    status = 403
    title = "This is not available"
    text = "This portal link does not allow what you asked for. Please contact us if you need it."


class NotFoundError(RefusedError):
    """Nothing is behind the link."""

    status = 404
    title = "Page not found"
    text = "There is nothing at this address. Please check that you have the whole link."


class ExpiredError(RefusedError):
    """The link was good once."""

    status = 410
    title = "This link has expired"
    text = "Billing links work for a limited time. Go back to where you came from and open a new one."


@dataclass(frozen=True, kw_only=True)
class Portal:
    """One customer's portal as one session may see it. What the session leaves unset is shown and allowed."""

    state: State
    customer: JSON
    settings: JSON
    now: datetime

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
    def may_edit_auto_pay(self) -> bool:
        return self.shows_billing and self._set("billing_details_settings", "allow_autopay_edit")

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
        if not self.shows_invoices:
            raise RefusedError
        return _only(invoice_id, self.invoices)

    def cancelable(self, subscription_id: str) -> JSON:
        """Return one of the customer's subscriptions, where the session allows to cancel it."""
        if not self.may_cancel:
            raise RefusedError
        return _only(subscription_id, self.subscriptions)

    def cancel(self, subscription_id: str) -> None:
        """Cancel a subscription; one that is canceled already stays so."""
        subscription = self.cancelable(subscription_id)
        if subscription["status"] != "canceled":
            subscriptions.cancel(self.state, subscription, now=self.now)

    def set_auto_pay(self, *, on: bool) -> None:
        """Turn auto-pay on or off, where the session allows it."""
        if not self.may_edit_auto_pay:
            raise RefusedError
        self.state["customers"][self.customer["id"]] = {**self.customer, "auto_pay": on}

    def _set(self, section: str, name: str) -> bool:
        return bool(self.settings.get(section, {}).get(name, True))


def open_portal(state: State, token: str, *, now: datetime) -> Portal:
    """Return the portal that a token opens; raise NotFoundError or ExpiredError."""
    session = sessions.by_token(state, token)
    if session is None:
        raise NotFoundError
    if sessions.has_expired(session, now=now):
        raise ExpiredError
    customer = state["customers"][session["customer_id"]]
    return Portal(state=state, customer=customer, settings=session["settings"], now=now)


def _only(ident: str, records: list[JSON]) -> JSON:
    for record in records:
        if record["id"] == ident:
            return record
    raise NotFoundError
