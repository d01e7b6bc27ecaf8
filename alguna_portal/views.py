"""From a click on Billing to the portal, or to a page that helps.

Every answer is kept from caches and from `Referer`. A browser that only prefetches, or asks HEAD, makes no
session: it has not been pressed yet.
"""

import logging
from collections.abc import Callable
from functools import wraps
from math import ceil
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

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


@private
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def billing(request: HttpRequest) -> HttpResponse:
    """Send a signed-in user to the portal of their customer; let them choose where there are several.

    Parameters, by query or form: `customer`, the primary key of one of the user's own customers, and
    `fresh=1`, to have a new session where the last one's link is spent.
    """
    if _is_prefetch(request):
        # Not 204, which would let the prefetch stand in for the click; not 503, which would mail ADMINS.
        return HttpResponse(status=403)
    if request.method == "HEAD":
        return HttpResponse()
    choices = accesses(request)
    asked_for = request.POST.get("customer") or request.GET.get("customer")
    if asked_for:
        chosen = find(request, asked_for)
    elif len(choices) > 1:
        return render(request, "alguna_portal/choose.html", {"accesses": choices})
    else:
        chosen = choices[0] if choices else None
    if chosen is None:
        return _page(request, "no_access", 403)
    return _open(request, chosen)


def _open(request: HttpRequest, access: Access) -> HttpResponse:
    """Redirect to a portal session, or answer with the page for what went wrong."""
    try:
        session = open_session(
            access.customer,
            user=request.user,
            browser=request.session.session_key,
            role=access.role,
            fresh="1" in (request.POST.get("fresh"), request.GET.get("fresh")),
        )
    except AlgunaUnavailable as exc:
        logger.warning("Customer %s: no portal session. %s", _name(access), exc)
        response = _page(request, "unavailable", 503, access=access)
        response["Retry-After"] = str(ceil(exc.retry_after or RETRY_AFTER))
        return response
    except AlgunaError as exc:
        logger.error("Customer %s: no portal session. %s", _name(access), exc)  # noqa: TRY400  (the text is enough)
        return _page(request, "failed", 502, access=access)
    return HttpResponseRedirect(session.url)


def _page(request: HttpRequest, name: str, status: int, **context: Any) -> HttpResponse:
    """Render one of the pages that help, with the support contact."""
    contact = conf.SUPPORT_CONTACT
    context |= {
        "support_contact": contact,
        "support_href": contact if "://" in contact else f"mailto:{contact}",
    }
    return render(request, f"alguna_portal/{name}.html", context, status=status)


def _is_prefetch(request: HttpRequest) -> bool:
    """Say whether a browser asks ahead of a click: `Sec-Purpose`, and what older ones send."""
    purposes = (request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz", "X-Purpose"))
    return any("prefetch" in purpose or "preview" in purpose for purpose in purposes)


def _name(access: Access) -> str:
    """Name a customer in a log; an alias could be anything, an e-mail address included."""
    return str(access.customer.pk or "(unsaved)")
