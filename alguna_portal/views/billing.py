"""From a click on Billing to the portal, or to an answer that helps, in the form that whoever asks understands.

Every answer is kept from caches and from `Referer`. A browser that only prefetches, or asks HEAD, makes no
session: it has not been pressed yet.

The view is synchronous. Under ASGI Django runs it in a thread of the request's own, so the loop goes on, and one
customer's slow session keeps nobody else waiting.
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

from .responses import METHODS, VARY, Reply, get_reply, log_failure, uncached

logger = logging.getLogger(__name__)


@non_atomic
@uncached
@login_not_required  # by Django's middleware, which knows no form but the page
def billing(request: HttpRequest) -> HttpResponse:
    """Send a signed-in user to the portal of their customer; let them choose where there are several.

    Parameters, by query or form: `customer`, one of the choices that the chooser offers, and `fresh=1`, to
    have a new session where the last one's link is spent. Of a parameter that is given twice, the last counts.
    """
    response = _answer(request, get_reply(request))
    response["Vary"] = VARY
    return response


def _answer(request: HttpRequest, reply: Reply) -> HttpResponse:
    if request.method not in METHODS:
        return reply.not_allowed()
    if not request.user.is_authenticated:
        return reply.sign_in(_to_sign_in(request)["Location"])
    if _is_prefetch(request):
        return reply.prefetch()
    choices = get_accesses(request)
    asked_for = _parameter(request, "customer")
    if asked_for:
        chosen = get_access(request, asked_for)
    elif len(choices) > 1:
        return reply.choose(choices, fresh=_is_fresh(request))
    else:
        chosen = choices[0] if choices else None
    if chosen is None:
        if request.method != "HEAD":
            shut = get_denied_access(request, asked_for)
            audit.record(
                audit.Outcome.DENIED,
                user=request.user,
                via=audit.Via.VIEW.value,
                customer=shut.customer if shut else None,
                role=shut.role if shut else "",
            )
        return reply.no_access()
    if request.method == "HEAD":
        return HttpResponse()
    return _open(request, chosen, reply)


# Where one signs in, and how one comes back, is for Django to say. It is asked where nobody is signed in.
_to_sign_in: Callable[[HttpRequest], HttpResponse] = login_required(lambda _request: HttpResponse())


def _open(request: HttpRequest, access: Access, reply: Reply) -> HttpResponse:
    """Lead to a portal session, or say what went wrong."""
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
        key = access.customer.pk
        # Not by its alias, which could be anything, an e-mail address included.
        log_failure(exc, logger=logger, whose=f"Customer {key or '(unsaved)'}", customer=key)
        again = f"{reverse('alguna_portal:billing')}?{urlencode({'customer': access.choice} | _fresh(request))}"
        return reply.failed(exc, again=again)
    return reply.portal(session)


def _is_fresh(request: HttpRequest) -> bool:
    return _parameter(request, "fresh") == "1"


def _fresh(request: HttpRequest) -> dict[str, str]:
    return {"fresh": "1"} if _is_fresh(request) else {}


def _parameter(request: HttpRequest, name: str) -> str | None:
    """Find a parameter in the form, where there is one, or else in the query."""
    form = request.POST.get(name) if request.method == "POST" else None
    return form or request.GET.get(name)


# What says that nobody has clicked yet: of browsers, of older ones, of Turbo and of htmx's preload extension.
# Not `request.headers`, which would read all of them first.
_AHEAD = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_MOZ", "HTTP_X_PURPOSE", "HTTP_X_SEC_PURPOSE")


def _is_prefetch(request: HttpRequest) -> bool:
    if request.META.get("HTTP_HX_PRELOADED") == "true":
        return True
    purposes = [request.META[name] for name in _AHEAD if name in request.META]
    return any("prefetch" in purpose or "preview" in purpose for purpose in purposes)
