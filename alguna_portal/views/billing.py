"""Billing view: from a click on the button to the customer's portal, or to a page or document with the reason.

Responses aren't cached and send no `Referer`. Prefetch and HEAD requests don't create sessions, because nobody has
clicked yet.

The view is synchronous. Under ASGI, Django runs it in a thread per request, so a slow session doesn't block others.
"""

import logging
from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_not_required, login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from alguna_portal import audit
from alguna_portal.access import Access, get_access, get_accesses, get_denied_access
from alguna_portal.exceptions import AlgunaError
from alguna_portal.sessions import open_session
from alguna_portal.transactions import non_atomic

from .responses import METHODS, VARY, PageResponses, get_responses, log_failure, uncached

logger = logging.getLogger(__name__)

# Headers of browsers, of older browsers, of Turbo and of htmx's preload extension. Not from `request.headers`, which
# would parse all headers first.
PREFETCH_HEADERS = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_MOZ", "HTTP_X_PURPOSE", "HTTP_X_SEC_PURPOSE")


@non_atomic
@uncached
@login_not_required  # by Django's middleware, which always redirects
def billing(request: HttpRequest) -> HttpResponse:
    """Redirect a signed-in user to the portal of their customer; let them choose between several.

    Parameters, in the query or the form: `customer`, one of the choices that the view offers, and `fresh=1` for a new
    session if the last session's URL is used up. If a parameter is repeated, the last value counts.
    """
    response = _respond(request, get_responses(request))
    response["Vary"] = VARY
    return response


def _respond(request: HttpRequest, responses: PageResponses) -> HttpResponse:
    if request.method not in METHODS:
        return responses.render_method_not_allowed()
    if not request.user.is_authenticated:
        return responses.render_login_required(_redirect_to_login(request)["Location"])
    if _is_prefetch(request):
        return responses.render_prefetch()
    accesses = get_accesses(request)
    choice = _get_parameter(request, "customer")
    if choice:
        access = get_access(request, choice)
    elif len(accesses) > 1:
        return responses.render_choices(accesses, fresh=_is_fresh(request))
    else:
        access = accesses[0] if accesses else None
    if access is None:
        if request.method != "HEAD":
            _record_denied(request, choice)
        return responses.render_no_access()
    if request.method == "HEAD":
        return HttpResponse()
    return _open(request, access, responses)


# Django knows the sign-in page and how to return from it. Called only for anonymous users.
_redirect_to_login: Callable[[HttpRequest], HttpResponse] = login_required(lambda _request: HttpResponse())


def _record_denied(request: HttpRequest, choice: str | None) -> None:
    denied = get_denied_access(request, choice)
    audit.record(
        audit.Outcome.DENIED,
        user=request.user,
        via=audit.Via.VIEW.value,
        customer=denied.customer if denied else None,
        role=denied.role if denied else "",
    )


def _open(request: HttpRequest, access: Access, responses: PageResponses) -> HttpResponse:
    fresh = _is_fresh(request)
    try:
        session = open_session(
            access.customer,
            user=request.user,
            browser=getattr(getattr(request, "session", None), "session_key", None),
            role=access.role,
            fresh=fresh,
            via=audit.Via.VIEW.value,
        )
    except AlgunaError as exc:
        key = access.customer.pk
        # Not the alias, which may be an email address.
        log_failure(exc, logger=logger, subject="Customer %(customer)s", customer=key)
        query = {"customer": access.choice} | ({"fresh": "1"} if fresh else {})
        return responses.render_failure(exc, retry_url=f"{reverse('alguna_portal:billing')}?{urlencode(query)}")
    return responses.render_portal(session)


def _is_fresh(request: HttpRequest) -> bool:
    return _get_parameter(request, "fresh") == "1"


def _get_parameter(request: HttpRequest, name: str) -> str | None:
    """Return a parameter of the form or, if it's missing there, of the query."""
    form = request.POST.get(name) if request.method == "POST" else None
    return form or request.GET.get(name)


def _is_prefetch(request: HttpRequest) -> bool:
    if request.META.get("HTTP_HX_PRELOADED") == "true":
        return True
    purposes = [request.META[name] for name in PREFETCH_HEADERS if name in request.META]
    return any("prefetch" in purpose or "preview" in purpose for purpose in purposes)
