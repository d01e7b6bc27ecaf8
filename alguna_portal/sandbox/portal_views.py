"""The pages of the hosted portal; what they may show and do is portal.py's to say."""

from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from .brand import stylesheet
from .conf import conf
from .debug_only import P, View, debug_only
from .engine import utc_now
from .messages import JSON
from .pdf import invoice_document
from .portal import NotFoundError, RefusedError, open_portal
from .records import reading, writing

NOTICES = {
    "canceled": "Your subscription has been canceled.",
    "auto-pay-on": "Auto-pay is on. Your card will be charged when an invoice is due.",
    "auto-pay-off": "Auto-pay is off. Please pay your invoices yourself.",
}


def portal_page(view: View[P]) -> View[P]:
    """Turn what the portal refuses into a page, and keep every page out of caches and referrers."""

    protected = csrf_protect(view)

    # Exempt outside, protected inside: so the check comes after the bolt, and its own page gets our headers.
    @csrf_exempt
    @debug_only
    @wraps(view)
    def page(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            response = protected(request, *args, **kwargs)
        except RefusedError as refusal:
            context = {"title": refusal.title, "text": refusal.text}
            response = _page(request, "problem", context, status=refusal.status)
        # The address is the credential.
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "no-referrer"
        return response

    return page


@portal_page
@require_safe
def overview(request: HttpRequest, token: str) -> HttpResponse:
    """Show the sections that the session shows."""
    portal = open_portal(reading(), token, now=utc_now())
    notice = NOTICES.get(request.GET.get("notice", ""))
    return _page(request, "portal", {"portal": portal, "token": token, "notice": notice})


@portal_page
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, token: str, subscription_id: str) -> HttpResponse:
    """Ask whether to cancel a subscription; on POST, cancel it."""
    if request.method == "POST":
        with writing() as state:
            open_portal(state, token, now=utc_now()).cancel(subscription_id)
        return _back(token, "canceled")
    portal = open_portal(reading(), token, now=utc_now())
    subscription = portal.cancelable(subscription_id)
    if subscription["status"] == "canceled":
        return redirect("alguna_sandbox:portal", token)
    return _page(request, "cancel", {"portal": portal, "token": token, "subscription": subscription})


@portal_page
@require_POST
def auto_pay(request: HttpRequest, token: str) -> HttpResponse:
    """Turn auto-pay on or off as the button said, so that a double click does it once."""
    on = request.POST.get("auto_pay") == "on"
    with writing() as state:
        open_portal(state, token, now=utc_now()).set_auto_pay(on=on)
    return _back(token, "auto-pay-on" if on else "auto-pay-off")


@portal_page
@require_safe
def invoice(request: HttpRequest, token: str, invoice_id: str) -> HttpResponse:
    """Show one invoice."""
    portal = open_portal(reading(), token, now=utc_now())
    shown = portal.invoice(invoice_id)
    return _page(request, "invoice", {"portal": portal, "token": token, "invoice": shown})


@portal_page
@require_safe
def invoice_pdf(request: HttpRequest, token: str, invoice_id: str) -> HttpResponse:
    """Hand out one invoice as a PDF; 501 with the remedy where reportlab is missing."""
    portal = open_portal(reading(), token, now=utc_now())
    shown = portal.invoice(invoice_id)
    try:
        document = invoice_document(shown, portal.customer, brand_name=conf.brand_name, brand_color=conf.brand_color)
    except ImportError:
        context = {
            "title": "PDF invoices need reportlab",
            "text": "Install it beside the sandbox:",
            "command": 'pip install "alguna_portal[sandbox]"',
        }
        return _page(request, "problem", context, status=501)
    name = f"{shown['number']}.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(document, content_type="application/pdf", headers=headers)


@portal_page
def nowhere(request: HttpRequest, rest: str) -> HttpResponse:  # noqa: ARG001
    """Refuse an address below the portal that leads nowhere."""
    raise NotFoundError


@debug_only
@require_safe
def brand(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """Give the brand's colours as a stylesheet."""
    headers = {"Cache-Control": "no-cache"}
    return HttpResponse(stylesheet(conf.brand_color), content_type="text/css", headers=headers)


def _page(request: HttpRequest, name: str, context: JSON, *, status: int = 200) -> HttpResponse:
    brand = {"brand_name": conf.brand_name, "logo_url": conf.logo_url}
    return render(request, f"alguna_sandbox/{name}.html", {**brand, **context}, status=status)


def _back(token: str, notice: str) -> HttpResponse:
    response = redirect("alguna_sandbox:portal", token)
    response["Location"] += f"?notice={notice}"
    return response
