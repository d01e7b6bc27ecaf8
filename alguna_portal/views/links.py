"""Behind a mailed link: a page that asks for one press of a button, and then the portal.

Whoever only fetches the page, as mail scanners do, uses nothing up. Pressing answers with a page that goes on to the
portal by itself, and not with a redirect: a Content-Security-Policy with `form-action 'self'` stops those. No
session and no script is needed, and no cookie but Django's against forged requests.

No error is logged by Django, since it would log the path: that is the link.
"""

import logging

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.urls import get_callable
from django.utils import timezone
from django.utils.decorators import decorator_from_middleware
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt

from alguna_portal import audit
from alguna_portal.exceptions import AlgunaError
from alguna_portal.links import LinkUnusable, format_expiry, get_link_by_token, open_link, renew
from alguna_portal.log_events import log_event
from alguna_portal.models import PortalLink
from alguna_portal.transactions import non_atomic

from .responses import METHODS, failure_page, log_failure, redirect_page, render_page, uncached, unlogged

logger = logging.getLogger(__name__)

REVOKED = PortalLink.State.REVOKED
OVER = (PortalLink.State.EXPIRED, PortalLink.State.USED_UP)


class _QuietCsrf(CsrfViewMiddleware):
    """Django's protection against forged requests, which answers as ever, and does not log the path."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return unlogged(get_callable(settings.CSRF_FAILURE_VIEW)(request, reason=reason))


@csrf_exempt  # from the one that logs
@non_atomic
@uncached
@login_not_required
def link(request: HttpRequest, token: str) -> HttpResponseBase:
    """Show whose portal a link opens; with POST, open it, or with `renew` mail a new link to the same address."""
    if request.method not in METHODS:
        return unlogged(HttpResponseNotAllowed(METHODS))
    try:
        # A form that cannot be read, as one that is too large, fails where it is first looked at.
        _ = request.POST
    except (BadRequest, MultiPartParserError, OSError, SuspiciousOperation):
        return _sorry(400)
    try:
        return _protected(request, token)
    except Exception as exc:
        if settings.DEBUG:
            raise
        # Django would log the path. Not in a template, since that of the host may be what failed.
        log_event(logger.error, "link_not_answered", "A mailed link could not be answered (%(error)s).", exc=exc)
        return _sorry(500)


@decorator_from_middleware(_QuietCsrf)
def _protected(request: HttpRequest, token: str) -> HttpResponse:
    return _answer(request, token)


def _sorry(status: int) -> HttpResponse:
    said = gettext("Something went wrong here. Please try again later.")
    return unlogged(HttpResponse(said, status=status, content_type="text/plain; charset=utf-8"))


def _answer(request: HttpRequest, token: str) -> HttpResponse:
    found = get_link_by_token(token)
    wants_new = request.method == "POST" and "renew" in request.POST
    presses = request.method == "POST" and not wants_new
    if found is None or found.state == REVOKED:
        return _unknown(request, found, presses=presses)
    if found.state in OVER:
        return _renewed(request, found) if wants_new else _over(request, found, presses=presses)
    if presses:
        return _open(request, found, token)
    return _with_form(
        render_page(request, "link", 200, link=found, customer=found.customer, until=format_expiry(found))
    )


def _open(request: HttpRequest, found: PortalLink, token: str) -> HttpResponse:
    try:
        session = open_link(found)
    except LinkUnusable:
        # Between the page and the press.
        now = get_link_by_token(token)
        is_over = now is not None and now.state != REVOKED
        return _over(request, now, presses=True) if now and is_over else _unknown(request, now, presses=True)
    except AlgunaError as exc:
        log_failure(exc, logger=logger, whose=f"Link {found.pk}", customer=found.customer_id, link=found.pk)
        return unlogged(failure_page(request, exc, again=request.path))
    return redirect_page(request, session.url)


def _unknown(request: HttpRequest, found: PortalLink | None, *, presses: bool) -> HttpResponse:
    """Answer where a link is unknown, tampered with or revoked: who asks is not to learn which."""
    if found and presses:
        _record_denied(found)
    return unlogged(render_page(request, "link_unknown", 404))


def _over(request: HttpRequest, found: PortalLink, *, presses: bool) -> HttpResponse:
    if presses:
        _record_denied(found)
    can_be_renewed = found.renewable_until > timezone.now()
    return _with_form(unlogged(render_page(request, "link_over", 410, can_be_renewed=can_be_renewed)))


def _renewed(request: HttpRequest, found: PortalLink) -> HttpResponse:
    """Send a new link, if there is to be one; the answer does not say whether it was sent, or could be."""
    try:
        renew(found)
    except Exception as exc:
        if settings.DEBUG:
            raise
        message = "Link %(link)s could not be renewed (%(error)s)."
        log_event(logger.error, "link_not_renewed", message, link=found.pk, exc=exc)
    return render_page(request, "link_renewed", 200)


def _with_form(response: HttpResponse) -> HttpResponse:
    """Let the form's POST say where it comes from, which Django wants to know, and nobody see the path.

    With “no-referrer” Chromium sends it as if from nowhere; with “same-origin” other pages of the site see the link.
    """
    response["Referrer-Policy"] = "strict-origin"
    return response


def _record_denied(found: PortalLink) -> None:
    audit.record(
        audit.Outcome.DENIED,
        user=None,
        via=audit.Via.LINK.value,
        customer=found.customer,
        role=found.role,
        link=found,
    )
