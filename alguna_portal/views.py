"""From a click on Billing to the portal, or to a page that helps.

Every answer is kept from caches and from `Referer`. A browser that only prefetches, or asks HEAD, makes no
session: it has not been pressed yet.
"""

import logging
from collections.abc import Callable
from functools import wraps
from math import ceil
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from . import audit
from .access import Access, accesses, find
from .conf import conf
from .exceptions import AlgunaError, AlgunaUnavailable
from .sessions import open_session

logger = logging.getLogger(__name__)

RETRY_AFTER = 30  # seconds, where Alguna names none

View = Callable[..., HttpResponse]


def private(view: View) -> View:
    """Keep a view's answers, whatever they are, out of caches and out of `Referer`."""

    @wraps(view)
    def wrapped(*args: Any, **kwargs: Any) -> HttpResponse:
        response = view(*args, **kwargs)
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "no-referrer"
        return response

    return wrapped


@transaction.non_atomic_requests  # no transaction is held open while Alguna is asked
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
        return render(request, "alguna_portal/choose.html", {"accesses": choices, "fresh": _is_fresh(request)})
    else:
        chosen = choices[0] if choices else None
    if chosen is None:
        if request.method != "HEAD":
            audit.record_denied(request.user, via=audit.Via.VIEW.value)
        return _page(request, "no_access", 403)
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
    except AlgunaUnavailable as exc:
        logger.warning("Customer %s: no portal session. %s", _name(access), exc)
        seconds = ceil(exc.retry_after or RETRY_AFTER)
        response = _page(request, "unavailable", 503, access=access, reason=exc, minutes=ceil(seconds / 60))
        response["Retry-After"] = str(seconds)
        return response
    except AlgunaError as exc:
        logger.error("Customer %s: no portal session. %s", _name(access), exc)  # noqa: TRY400  (the text is enough)
        return _page(request, "failed", 502, access=access, reason=exc)
    return HttpResponseRedirect(session.url)


def _page(request: HttpRequest, name: str, status: int, **context: Any) -> HttpResponse:
    """Render one of the pages that help, with the support contact; under DEBUG, with the reason."""
    try:
        contact = conf.SUPPORT_CONTACT
    except ImproperlyConfigured:
        # Checks report it. Here somebody needs help, and most of the page is right.
        contact = ""
    context |= {
        "support_contact": contact,
        "support_href": f"mailto:{contact}" if "@" in contact and "/" not in contact else contact,
        "fresh": _is_fresh(request),
        "debug": settings.DEBUG,
    }
    return render(request, f"alguna_portal/{name}.html", context, status=status)


def _is_fresh(request: HttpRequest) -> bool:
    return _parameter(request, "fresh") == "1"


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
