"""What all pages of the hosted portal have in common: who is let in, how refusals look, the frame."""

import secrets
from dataclasses import replace
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from alguna_portal.sandbox.conf import conf
from alguna_portal.sandbox.engine import single_use
from alguna_portal.sandbox.engine.engine import utc_now
from alguna_portal.sandbox.engine.portal import Portal, PortalRefused
from alguna_portal.sandbox.engine.types import JSON, State

from .debug_only import P, View, debug_only
from .store import reading, writing

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
    mode = single_use.single_use(state, conf.single_use)
    portal = single_use.enter(state, token, browser=browser, single_use=mode, now=utc_now())
    return replace(portal, plans=conf.plans)


def land(request: HttpRequest, token: str) -> HttpResponse:
    """Show the portal to who comes with the address that the API gave out; raise PortalRefused."""
    mode = single_use.single_use(reading(), conf.single_use)
    if mode == "off" or request.method == "HEAD":  # who asks for the headers alone has seen nothing
        return overview_page(request, token)
    browser = request.COOKIES.get(BROWSER_COOKIE) or secrets.token_urlsafe(24)
    with writing() as state:
        single_use.land(state, token, browser=browser, single_use=mode, now=utc_now())
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
    mode = single_use.single_use(reading(), conf.single_use)
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
