"""From a click on Billing to the portal, or to a page that helps.

Every answer is kept from caches and from `Referer`. A browser that only prefetches, or asks HEAD, makes no
session: it has not been pressed yet.
"""

import logging
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from alguna_portal import audit
from alguna_portal.access import Access, accesses, find, refused
from alguna_portal.exceptions import AlgunaError
from alguna_portal.sessions import open_session
from alguna_portal.transactions import committing

from .pages import failure_page, page, private

logger = logging.getLogger(__name__)


@committing
@private
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def billing(request: HttpRequest) -> HttpResponse:
    """Send a signed-in user to the portal of their customer; let them choose where there are several.

    Parameters, by query or form: `customer`, one of the choices that the chooser offers, and `fresh=1`, to
    have a new session where the last one's link is spent.
    """
    if _is_prefetch(request):
        # Not 204, which would let the prefetch stand in for the click; not 503, which would mail ADMINS.
        return HttpResponse(status=403)
    choices = accesses(request)
    asked_for = _parameter(request, "customer")
    if asked_for:
        chosen = find(request, asked_for)
    elif len(choices) > 1:
        return page(request, "choose", 200, accesses=choices, fresh=_is_fresh(request))
    else:
        chosen = choices[0] if choices else None
    if chosen is None:
        if request.method != "HEAD":
            shut = refused(request, asked_for)
            audit.record(
                audit.Outcome.DENIED,
                user=request.user,
                via=audit.Via.VIEW.value,
                customer=shut.customer if shut else None,
                role=shut.role if shut else "",
            )
        return page(request, "no_access", 403)
    if request.method == "HEAD":
        return HttpResponse()
    return _open(request, chosen)


def _open(request: HttpRequest, access: Access) -> HttpResponse:
    """Redirect to a portal session, or answer with the page for what went wrong."""
    try:
        session = open_session(
            access.customer,
            user=request.user,
            browser=getattr(getattr(request, "session", None), "session_key", None),
            role=access.role,
            fresh=_is_fresh(request),
            via=audit.Via.VIEW.value,
        )
    except AlgunaError as exc:
        again = f"{reverse('alguna_portal:billing')}?{urlencode({'customer': access.choice} | _fresh(request))}"
        return failure_page(request, exc, again=again, logger=logger, whose=f"Customer {_name(access)}")
    return HttpResponseRedirect(session.url)


def _is_fresh(request: HttpRequest) -> bool:
    return _parameter(request, "fresh") == "1"


def _fresh(request: HttpRequest) -> dict[str, str]:
    return {"fresh": "1"} if _is_fresh(request) else {}


def _parameter(request: HttpRequest, name: str) -> str | None:
    """Find a parameter in the form, where there is one, or else in the query."""
    form = request.POST.get(name) if request.method == "POST" else None
    return form or request.GET.get(name)


def _is_prefetch(request: HttpRequest) -> bool:
    """Say whether a browser asks ahead of a click: `Sec-Purpose`, and what older ones send."""
    # Not `request.headers`, which would read all of them first.
    names = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_MOZ", "HTTP_X_PURPOSE")
    purposes = [request.META[name] for name in names if name in request.META]
    return any("prefetch" in purpose or "preview" in purpose for purpose in purposes)


def _name(access: Access) -> str:
    """Name a customer in a log; an alias could be anything, an e-mail address included."""
    return str(access.customer.pk or "(unsaved)")
