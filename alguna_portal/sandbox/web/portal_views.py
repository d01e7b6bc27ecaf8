"""Views of the hosted portal. The engine's `Portal` decides what a session shows and allows."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alguna_portal.sandbox.conf import P, View, conf, debug_only
from alguna_portal.sandbox.engine.portal import (
    PageNotFound,
    Portal,
    PortalError,
    enter_portal,
    get_single_use_mode,
    open_link,
)
from alguna_portal.sandbox.engine.portal_forms import TEST_CARDS
from alguna_portal.sandbox.engine.subscriptions import CANCELED
from alguna_portal.sandbox.engine.types import JSON, InvalidForm, Plan, State, utc_now
from alguna_portal.sandbox.models import get_state, write_state

from .display import add_display_values, create_stylesheet, format_amount
from .invoice_pdf import render_invoice_pdf
from .webhook_delivery import send_events

BROWSER_COOKIE = "alguna_sandbox_browser"
NOTICES = {
    "canceled": "Your subscription has been cancelled.",
    "plan-changed": "Your plan has been changed.",
    "card-replaced": "Your payment method has been updated.",
    "account-saved": "Your company details have been saved.",
    "auto-pay-on": "Auto-pay is on. Your card will be charged when an invoice is due.",
    "auto-pay-off": "Auto-pay is off. Please pay your invoices yourself.",
}


@dataclass(frozen=True, kw_only=True)
class FormField:
    """A text field of a form, with its value and error."""

    name: str
    label: str
    hint: str = ""
    autocomplete: str = "off"
    type: str = "text"
    inputmode: str = "text"
    required: bool = True
    value: str = ""
    error: str = ""

    @property
    def described_by(self) -> str:
        """Return the ids of the field's error and hint for aria-describedby."""
        ids = (f"{self.name}-error" if self.error else "", f"{self.name}-hint" if self.hint else "")
        return " ".join(filter(None, ids))


# Without autocompletion, so that browsers don't fill in real cards.
CARD_FIELDS = (
    FormField(
        name="number",
        label="Card number",
        inputmode="numeric",
        hint="A test number: " + ", ".join(f"{number} ({brand})" for number, brand in TEST_CARDS.items()) + ".",
    ),
    FormField(name="expires", label="Expires", hint="Month and year, for example 08/29."),
)
COMPANY_FIELDS = (
    FormField(name="name", label="Company name", autocomplete="organization"),
    FormField(name="email", label="Billing e-mail address", autocomplete="email", type="email", inputmode="email"),
    FormField(name="line1", label="Street and number", autocomplete="address-line1", required=False),
    FormField(name="line2", label="Suite, floor or building", autocomplete="address-line2", required=False),
    FormField(name="city", label="City", autocomplete="address-level2", required=False),
    FormField(name="state", label="State or region", autocomplete="address-level1", required=False),
    FormField(name="postal_code", label="Postal code", autocomplete="postal-code", required=False),
    FormField(name="country", label="Country", hint="Three letters, for example USA or DEU.", required=False),
)
CARD_TEXTS: JSON = {"title": "Update payment method", "button": "Save card"}
COMPANY_TEXTS: JSON = {
    "title": "Edit company details",
    "text": "Your invoices go out with them.",
    "button": "Save details",
}

allow_get_and_post = require_http_methods(["GET", "HEAD", "POST"])


def portal_page(view: View[P]) -> View[P]:
    """Guard a view of the portal, render PortalError as a page, and keep its URL out of caches and referrers."""
    protected = csrf_protect(view)

    # CSRF is checked inside the debug-only guard, so that the failure page has the headers below too.
    @csrf_exempt
    @debug_only
    @wraps(view)
    def portal_view(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            response = protected(request, *args, **kwargs)
        except PortalError as error:
            context = {"title": error.title, "text": error.text}
            response = _render_page(request, "problem", context, status=error.status)
        # Anyone who knows the URL can open the portal.
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "no-referrer"
        return response

    return portal_view


@portal_page
@require_safe
def portal_link(request: HttpRequest, token: str) -> HttpResponse:
    """Open the link that the API returned, and record the browser if links are single-use."""
    mode = get_single_use_mode(get_state(), conf.single_use)
    if mode == "off" or request.method == "HEAD":  # HEAD doesn't show the page, so it doesn't count
        return _render_overview(request, token)
    browser = request.COOKIES.get(BROWSER_COOKIE) or secrets.token_urlsafe(24)
    with write_state() as state:
        open_link(state, token, browser=browser, single_use=mode, now=utc_now())
    request.COOKIES[BROWSER_COOKIE] = browser
    response = redirect(_get_home_url(token)) if mode == "anywhere" else _render_overview(request, token)
    path = reverse("alguna_sandbox:api", kwargs={"path": ""})
    response.set_cookie(BROWSER_COOKIE, browser, path=path, secure=request.is_secure(), httponly=True, samesite="Lax")
    return response


@portal_page
@require_safe
def overview(request: HttpRequest, token: str) -> HttpResponse:
    """Show the sections to a browser that has opened the link."""
    return _render_overview(request, token)


@portal_page
@allow_get_and_post
def cancel(request: HttpRequest, token: str, subscription_id: str) -> HttpResponse:
    """Ask for confirmation; on POST, cancel a subscription."""
    if request.method == "POST":
        with write_state() as state:
            send_events(state, _enter_portal(request, state, token).cancel(subscription_id))
        return _redirect_home(token, "canceled")
    subscription = _enter_portal(request, get_state(), token).get_subscription(subscription_id, "cancel")
    if subscription["status"] == CANCELED:
        return redirect(_get_home_url(token))
    return _render_page(request, "cancel", {"subscription": add_display_values(subscription)}, token=token)


@portal_page
@allow_get_and_post
def plan(request: HttpRequest, token: str, subscription_id: str) -> HttpResponse:
    """List the other plans, then ask for confirmation of the chosen one; on POST, change the plan."""
    if request.method == "POST":
        with write_state() as state:
            portal = _enter_portal(request, state, token)
            send_events(state, portal.change_plan(subscription_id, request.POST.get("plan", "")))
        return _redirect_home(token, "plan-changed")
    portal = _enter_portal(request, get_state(), token)
    subscription = portal.get_subscription(subscription_id, "change_plan")
    if subscription["status"] == CANCELED:
        return redirect(_get_home_url(token))
    context = {"subscription": add_display_values(subscription)}
    if "plan" in request.GET:
        chosen = portal.get_other_plan(subscription, request.GET["plan"])
        return _render_page(
            request, "plan_confirm", {**context, "plan": _to_display(chosen, subscription)}, token=token
        )
    plans = [_to_display(each, subscription) for each in portal.get_other_plans(subscription)]
    return _render_page(request, "plan", {**context, "plans": plans}, token=token)


def _to_display(plan: Plan, subscription: JSON) -> JSON:
    return {"id": plan.id, "name": plan.name, "amount": format_amount(plan.amount_cents, subscription["currency"])}


@portal_page
@sensitive_post_parameters("number")
@allow_get_and_post
def payment_method(request: HttpRequest, token: str) -> HttpResponse:
    """Show the form for a card; on POST, replace the card on file."""
    if request.method == "POST":
        try:
            with write_state() as state:
                _enter_portal(request, state, token).replace_card(request.POST.dict())
        except InvalidForm as invalid:
            # An invalid number may belong to a real card, so it isn't shown again.
            values = {"expires": request.POST.get("expires", "")}
            return _render_form(request, token, CARD_TEXTS, CARD_FIELDS, values, invalid.errors)
        return _redirect_home(token, "card-replaced")
    card = _enter_portal(request, get_state(), token).get_payment_methods()[0]
    text = f"The new card replaces the {card['brand']} ending in {card['last4']}."
    return _render_form(request, token, {**CARD_TEXTS, "text": text}, CARD_FIELDS, {}, {})


@portal_page
@allow_get_and_post
def account(request: HttpRequest, token: str) -> HttpResponse:
    """Show the form for the company details; on POST, save them."""
    if request.method == "POST":
        try:
            with write_state() as state:
                _enter_portal(request, state, token).edit_company(request.POST.dict())
        except InvalidForm as invalid:
            return _render_form(request, token, COMPANY_TEXTS, COMPANY_FIELDS, request.POST.dict(), invalid.errors)
        return _redirect_home(token, "account-saved")
    values = _enter_portal(request, get_state(), token).get_company_details()
    return _render_form(request, token, COMPANY_TEXTS, COMPANY_FIELDS, values, {})


@portal_page
@require_POST
def auto_pay(request: HttpRequest, token: str) -> HttpResponse:
    """Turn auto-pay on or off. The button sends the new state, so a double click doesn't toggle twice."""
    on = request.POST.get("auto_pay") == "on"
    with write_state() as state:
        _enter_portal(request, state, token).set_auto_pay(on=on)
    return _redirect_home(token, "auto-pay-on" if on else "auto-pay-off")


@portal_page
@require_safe
def invoice(request: HttpRequest, token: str, invoice_id: str) -> HttpResponse:
    """Show an invoice."""
    portal = _enter_portal(request, get_state(), token)
    context = {"portal": portal, "invoice": add_display_values(portal.get_invoice(invoice_id))}
    return _render_page(request, "invoice", context, token=token)


@portal_page
@require_safe
def invoice_pdf(request: HttpRequest, token: str, invoice_id: str) -> HttpResponse:
    """Return an invoice as a PDF download; if reportlab isn't installed, return 501 and how to install it."""
    portal = _enter_portal(request, get_state(), token)
    record = portal.get_invoice(invoice_id)
    try:
        document = render_invoice_pdf(record, portal.customer, brand_name=conf.brand_name, brand_color=conf.brand_color)
    except ImportError:
        context = {
            "title": "PDF invoices need reportlab",
            "text": "Install it beside the sandbox:",
            "command": 'pip install "alguna_portal[sandbox]"',
        }
        return _render_page(request, "problem", context, token=token, status=501)
    headers = {"Content-Disposition": f'attachment; filename="{record["number"]}.pdf"'}
    return HttpResponse(document, content_type="application/pdf", headers=headers)


@portal_page
def not_found(request: HttpRequest, rest: str) -> HttpResponse:  # noqa: ARG001
    """Return the portal's 404 page for other URLs below the portal."""
    raise PageNotFound


@debug_only
@require_safe
def brand_stylesheet(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """Return the stylesheet with the brand colours."""
    headers = {"Cache-Control": "no-cache"}
    return HttpResponse(create_stylesheet(conf.brand_color), content_type="text/css", headers=headers)


def _enter_portal(request: HttpRequest, state: State, token: str) -> Portal:
    browser = request.COOKIES.get(BROWSER_COOKIE, "")
    mode = get_single_use_mode(state, conf.single_use)
    return replace(enter_portal(state, token, browser=browser, single_use=mode, now=utc_now()), plans=conf.plans)


def _get_home_url(token: str) -> str:
    """Return the URL of the overview for links within the portal."""
    mode = get_single_use_mode(get_state(), conf.single_use)
    return reverse(f"alguna_sandbox:{'home' if mode == 'anywhere' else 'portal'}", args=[token])


def _redirect_home(token: str, notice: str) -> HttpResponse:
    return redirect(f"{_get_home_url(token)}?notice={notice}")


def _render_overview(request: HttpRequest, token: str) -> HttpResponse:
    portal = _enter_portal(request, get_state(), token)
    context = {
        "portal": portal,
        "subscriptions": [add_display_values(subscription) for subscription in portal.subscriptions],
        "invoices": [add_display_values(invoice) for invoice in portal.invoices],
        "notice": NOTICES.get(request.GET.get("notice", "")),
    }
    return _render_page(request, "portal", context, token=token)


def _render_form(
    request: HttpRequest,
    token: str,
    texts: JSON,
    fields: Sequence[FormField],
    values: Mapping[str, str],
    errors: Mapping[str, str],
) -> HttpResponse:
    filled = [replace(each, value=values.get(each.name, ""), error=errors.get(each.name, "")) for each in fields]
    context = {**texts, "fields": filled, "has_errors": bool(errors)}
    return _render_page(request, "edit", context, token=token, status=422 if errors else 200)


def _render_page(
    request: HttpRequest, template: str, context: JSON, *, token: str = "", status: int = 200
) -> HttpResponse:
    """Return a page of the portal. Without a token, it doesn't link to other pages."""
    links = {"token": token, "home": _get_home_url(token)} if token else {}
    brand = {"brand_name": conf.brand_name, "logo_url": conf.logo_url}
    return render(request, f"alguna_sandbox/{template}.html", {**brand, **links, **context}, status=status)
