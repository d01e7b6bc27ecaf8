"""The pages of the hosted portal that edit: payment method, company details, plan."""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from alguna_portal.sandbox.engine.types import JSON, InvalidForm

from . import forms
from .announcing import announce
from .portal_pages import back, enter, home, page, portal_page
from .store import reading, writing

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
            return _form(request, token, CARD_FORM, forms.CARD, kept, invalid.errors)
        return back(token, "card-replaced")
    on_file = enter(request, reading(), token).payment_methods()[0]
    text = f"The new card replaces the {on_file['brand']} ending in {on_file['last4']}."
    return _form(request, token, {**CARD_FORM, "text": text}, forms.CARD, {}, {})


@portal_page
@get_or_post
def account(request: HttpRequest, token: str) -> HttpResponse:
    """Show the company's details to be edited; on POST, save them."""
    if request.method == "POST":
        try:
            with writing() as state:
                enter(request, state, token).edit_company(request.POST.dict())
        except InvalidForm as invalid:
            return _form(request, token, COMPANY_FORM, forms.COMPANY, request.POST.dict(), invalid.errors)
        return back(token, "account-saved")
    values = enter(request, reading(), token).company_details()
    return _form(request, token, COMPANY_FORM, forms.COMPANY, values, {})


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
    fields: tuple[forms.Field, ...],
    values: Mapping[str, str],
    errors: Mapping[str, str],
) -> HttpResponse:
    context = {**form, "fields": forms.filled(fields, values, errors), "has_errors": bool(errors)}
    return page(request, "edit", token, context, status=422 if errors else 200)
