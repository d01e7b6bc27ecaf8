"""The pages of the hosted portal that show, and its two switches; what they may is portal.py's to say."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alguna_portal.sandbox.conf import conf
from alguna_portal.sandbox.engine import portal
from alguna_portal.sandbox.engine.company import BRANDS
from alguna_portal.sandbox.engine.engine import utc_now
from alguna_portal.sandbox.engine.portal import NothingThere, Portal, PortalRefused
from alguna_portal.sandbox.engine.types import JSON, InvalidForm, State

from .branding import stylesheet
from .invoice_pdf import invoice_document
from .store import reading, writing
from .webhook_delivery import announce

# --- from alguna_portal.sandbox.web.debug_only

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def debug_only(view: View[P]) -> View[P]:
    """Answer 404 unless DEBUG is on, whoever asks: nothing of the sandbox belongs on a public site."""

    @wraps(view)
    def bolted(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not settings.DEBUG:
            raise Http404
        return view(request, *args, **kwargs)

    return bolted


# --- from alguna_portal.sandbox.web.forms


@dataclass(frozen=True, kw_only=True)
class Field:
    """One line to write in, with what it holds and what is wrong with it."""

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
        """Return the ids of what explains it."""
        parts = (f"{self.name}-error" if self.error else "", f"{self.name}-hint" if self.hint else "")
        return " ".join(filter(None, parts))


# No browser shall fill in a real card, and a number that was refused may be one: it is not shown again.
CARD = (
    Field(
        name="number",
        label="Card number",
        inputmode="numeric",
        hint="A test number: " + ", ".join(f"{number} ({brand})" for number, brand in BRANDS.items()) + ".",
    ),
    Field(name="expires", label="Expires", hint="Month and year, for example 08/29."),
)
COMPANY = (
    Field(name="name", label="Company name", autocomplete="organization"),
    Field(name="email", label="Billing e-mail address", autocomplete="email", type="email", inputmode="email"),
    Field(name="line1", label="Street and number", autocomplete="address-line1", required=False),
    Field(name="line2", label="Suite, floor or building", autocomplete="address-line2", required=False),
    Field(name="city", label="City", autocomplete="address-level2", required=False),
    Field(name="state", label="State or region", autocomplete="address-level1", required=False),
    Field(name="postal_code", label="Postal code", autocomplete="postal-code", required=False),
    Field(name="country", label="Country", hint="Three letters, for example USA or DEU.", required=False),
)


def filled(fields: Iterable[Field], values: Mapping[str, str], errors: Mapping[str, str]) -> list[Field]:
    """Return the fields with what they hold and what is wrong with them."""
    return [replace(field, value=values.get(field.name, ""), error=errors.get(field.name, "")) for field in fields]


# --- from alguna_portal.sandbox.web.portal_pages

BROWSER_COOKIE = "alguna_sandbox_browser"


def portal_page(view: View[P]) -> View[P]:
    """Turn what the portal refuses into a page, and keep every page out of caches and referrers."""

    protected = csrf_protect(view)

    # Exempt outside, protected inside: so the check comes after the bolt, and its own page gets our headers.
    @csrf_exempt
    @debug_only
    @wraps(view)
    def page(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            response = protected(request, *args, **kwargs)
        except PortalRefused as refusal:
            context = {"title": refusal.title, "text": refusal.text}
            response = _render(request, "problem", context, status=refusal.status)
        # The address is the credential.
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "no-referrer"
        return response

    return page


def enter(request: HttpRequest, state: State, token: str) -> Portal:
    """Return the portal behind a page; raise PortalRefused."""
    browser = request.COOKIES.get(BROWSER_COOKIE, "")
    mode = portal.single_use(state, conf.single_use)
    opened = portal.enter(state, token, browser=browser, single_use=mode, now=utc_now())
    return replace(opened, plans=conf.plans)


def land(request: HttpRequest, token: str) -> HttpResponse:
    """Show the portal to who comes with the address that the API gave out; raise PortalRefused."""
    mode = portal.single_use(reading(), conf.single_use)
    if mode == "off" or request.method == "HEAD":  # who asks for the headers alone has seen nothing
        return overview_page(request, token)
    browser = request.COOKIES.get(BROWSER_COOKIE) or secrets.token_urlsafe(24)
    with writing() as state:
        portal.land(state, token, browser=browser, single_use=mode, now=utc_now())
    request.COOKIES[BROWSER_COOKIE] = browser
    response = redirect(home(token)) if mode == "anywhere" else overview_page(request, token)
    response.set_cookie(
        BROWSER_COOKIE,
        browser,
        path=reverse("alguna_sandbox:api", kwargs={"path": ""}),
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )
    return response


def overview_page(request: HttpRequest, token: str) -> HttpResponse:
    """Return the page with all sections that the session shows."""
    portal = enter(request, reading(), token)
    return page(request, "portal", token, {"portal": portal, "notice": NOTICES.get(request.GET.get("notice", ""))})


def home(token: str) -> str:
    """Return the address that leads a visitor back to the overview."""
    mode = portal.single_use(reading(), conf.single_use)
    return reverse(f"alguna_sandbox:{'home' if mode == 'anywhere' else 'portal'}", args=[token])


def back(token: str, notice: str) -> HttpResponse:
    """Return to the overview, which then says what was done."""
    return redirect(f"{home(token)}?notice={notice}")


def page(request: HttpRequest, name: str, token: str, context: JSON, *, status: int = 200) -> HttpResponse:
    """Return one page of the portal."""
    return _render(request, name, {"token": token, "home": home(token), **context}, status=status)


def _render(request: HttpRequest, name: str, context: JSON, *, status: int) -> HttpResponse:
    brand = {"brand_name": conf.brand_name, "logo_url": conf.logo_url}
    return render(request, f"alguna_sandbox/{name}.html", {**brand, **context}, status=status)


NOTICES = {
    "canceled": "Your subscription has been cancelled.",
    "plan-changed": "Your plan has been changed.",
    "card-replaced": "Your payment method has been updated.",
    "account-saved": "Your company details have been saved.",
    "auto-pay-on": "Auto-pay is on. Your card will be charged when an invoice is due.",
    "auto-pay-off": "Auto-pay is off. Please pay your invoices yourself.",
}


# --- from alguna_portal.sandbox.web.portal_edit_views

get_or_post = require_http_methods(["GET", "HEAD", "POST"])

CARD_FORM: JSON = {"title": "Update payment method", "button": "Save card"}
COMPANY_FORM: JSON = {
    "title": "Edit company details",
    "text": "Your invoices go out with them.",
    "button": "Save details",
}


@portal_page
@sensitive_post_parameters("number")
@get_or_post
def payment_method(request: HttpRequest, token: str) -> HttpResponse:
    """Ask for a card; on POST, replace the one on file."""
    if request.method == "POST":
        try:
            with writing() as state:
                enter(request, state, token).replace_card(request.POST.dict())
        except InvalidForm as invalid:
            kept = {"expires": request.POST.get("expires", "")}
            return _form(request, token, CARD_FORM, CARD, kept, invalid.errors)
        return back(token, "card-replaced")
    on_file = enter(request, reading(), token).payment_methods()[0]
    text = f"The new card replaces the {on_file['brand']} ending in {on_file['last4']}."
    return _form(request, token, {**CARD_FORM, "text": text}, CARD, {}, {})


@portal_page
@get_or_post
def account(request: HttpRequest, token: str) -> HttpResponse:
    """Show the company's details to be edited; on POST, save them."""
    if request.method == "POST":
        try:
            with writing() as state:
                enter(request, state, token).edit_company(request.POST.dict())
        except InvalidForm as invalid:
            return _form(request, token, COMPANY_FORM, COMPANY, request.POST.dict(), invalid.errors)
        return back(token, "account-saved")
    values = enter(request, reading(), token).company_details()
    return _form(request, token, COMPANY_FORM, COMPANY, values, {})


@portal_page
@get_or_post
def plan(request: HttpRequest, token: str, subscription_id: str) -> HttpResponse:
    """Offer the other plans, then ask whether to change to the chosen one; on POST, change to it."""
    if request.method == "POST":
        with writing() as state:
            portal = enter(request, state, token)
            announce(state, portal.change_plan(subscription_id, request.POST.get("plan", "")))
        return back(token, "plan-changed")
    portal = enter(request, reading(), token)
    subscription = portal.changeable(subscription_id)
    if subscription["status"] == "canceled":
        return redirect(home(token))
    context: JSON = {"subscription": subscription}
    if "plan" in request.GET:
        chosen = portal.offered(subscription, request.GET["plan"])
        return page(request, "plan_confirm", token, {**context, "plan": chosen})
    return page(request, "plan", token, {**context, "plans": portal.offers(subscription)})


def _form(
    request: HttpRequest,
    token: str,
    form: JSON,
    fields: tuple[Field, ...],
    values: Mapping[str, str],
    errors: Mapping[str, str],
) -> HttpResponse:
    context = {**form, "fields": filled(fields, values, errors), "has_errors": bool(errors)}
    return page(request, "edit", token, context, status=422 if errors else 200)


@portal_page
@require_safe
def overview(request: HttpRequest, token: str) -> HttpResponse:
    """Show the sections that the session shows to who comes with its link."""
    return land(request, token)


@portal_page
@require_safe
def overview_again(request: HttpRequest, token: str) -> HttpResponse:
    """Show them to who has landed."""
    return overview_page(request, token)


@portal_page
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, token: str, subscription_id: str) -> HttpResponse:
    """Ask whether to cancel a subscription; on POST, cancel it."""
    if request.method == "POST":
        with writing() as state:
            announce(state, enter(request, state, token).cancel(subscription_id))
        return back(token, "canceled")
    portal = enter(request, reading(), token)
    subscription = portal.cancelable(subscription_id)
    if subscription["status"] == "canceled":
        return redirect(home(token))
    return page(request, "cancel", token, {"subscription": subscription})


@portal_page
@require_POST
def auto_pay(request: HttpRequest, token: str) -> HttpResponse:
    """Turn auto-pay on or off as the button said, so that a double click does it once."""
    on = request.POST.get("auto_pay") == "on"
    with writing() as state:
        enter(request, state, token).set_auto_pay(on=on)
    return back(token, "auto-pay-on" if on else "auto-pay-off")


@portal_page
@require_safe
def invoice(request: HttpRequest, token: str, invoice_id: str) -> HttpResponse:
    """Show one invoice."""
    portal = enter(request, reading(), token)
    shown = portal.invoice(invoice_id)
    return page(request, "invoice", token, {"portal": portal, "invoice": shown})


@portal_page
@require_safe
def invoice_pdf(request: HttpRequest, token: str, invoice_id: str) -> HttpResponse:
    """Hand out one invoice as a PDF; 501 with the remedy where reportlab is missing."""
    portal = enter(request, reading(), token)
    shown = portal.invoice(invoice_id)
    try:
        document = invoice_document(shown, portal.customer, brand_name=conf.brand_name, brand_color=conf.brand_color)
    except ImportError:
        context = {
            "title": "PDF invoices need reportlab",
            "text": "Install it beside the sandbox:",
            "command": 'pip install "alguna_portal[sandbox]"',
        }
        return page(request, "problem", token, context, status=501)
    name = f"{shown['number']}.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(document, content_type="application/pdf", headers=headers)


@portal_page
def nowhere(request: HttpRequest, rest: str) -> HttpResponse:  # noqa: ARG001
    """Refuse an address below the portal that leads nowhere."""
    raise NothingThere


@debug_only
@require_safe
def brand(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """Give the brand's colours as a stylesheet."""
    headers = {"Cache-Control": "no-cache"}
    return HttpResponse(stylesheet(conf.brand_color), content_type="text/css", headers=headers)
