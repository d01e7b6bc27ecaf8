"""The pages of the hosted portal that show, and its two switches; what they may is portal.py's to say."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alguna_portal.sandbox.conf import conf
from alguna_portal.sandbox.engine.portal import NothingThere

from .announcing import announce
from .branding import stylesheet
from .debug_only import debug_only
from .invoice_pdf import invoice_document
from .portal_pages import back, enter, home, land, overview_page, page, portal_page
from .store import reading, writing


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
