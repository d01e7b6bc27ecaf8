"""View behind emailed links: a page with a button, and the portal when a person presses it.

Only fetching the page, as mail scanners do, doesn't count as a use. The response to the button is a page that
redirects, because a Content-Security-Policy with `form-action 'self'` blocks an HTTP redirect to another site. The view
needs no session, no script and no cookie except Django's CSRF cookie.

Django doesn't log errors of this view, because it would log the path, which is a credential.
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

from .responses import METHODS, PageResponses, log_failure, redirect_page, render_page, uncached, unlogged

logger = logging.getLogger(__name__)

REVOKED = PortalLink.State.REVOKED
EXPIRED = (PortalLink.State.EXPIRED, PortalLink.State.USED_UP)


class _UnloggedCsrf(CsrfViewMiddleware):
    """Django's CSRF protection, but without logging the path."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return unlogged(get_callable(settings.CSRF_FAILURE_VIEW)(request, reason=reason))


@csrf_exempt  # from the middleware that logs the path
@non_atomic
@uncached
@login_not_required
def link(request: HttpRequest, token: str) -> HttpResponseBase:
    """Show the page of a link. On POST open the portal or, with `renew`, email a new link to the same address."""
    if request.method not in METHODS:
        return unlogged(HttpResponseNotAllowed(METHODS))
    try:
        # An invalid form, such as one that is too large, raises an exception when it's parsed.
        _ = request.POST
    except (BadRequest, MultiPartParserError, OSError, SuspiciousOperation):
        return _render_error(400)
    try:
        return _respond(request, token)
    except Exception as exc:
        if settings.DEBUG:
            raise
        # Django would log the path. The response uses no template, because the host's template may be what failed.
        log_event(logger.error, "link_not_answered", "A mailed link could not be answered (%(error)s).", exc=exc)
        return _render_error(500)


def _render_error(status: int) -> HttpResponse:
    text = gettext("Something went wrong here. Please try again later.")
    return unlogged(HttpResponse(text, status=status, content_type="text/plain; charset=utf-8"))


@decorator_from_middleware(_UnloggedCsrf)
def _respond(request: HttpRequest, token: str) -> HttpResponse:
    found = get_link_by_token(token)
    renews = request.method == "POST" and "renew" in request.POST
    opens = request.method == "POST" and not renews
    if found and renews and found.state in EXPIRED:
        return _renew(request, found)
    if found is None or found.state in (REVOKED, *EXPIRED):
        return _render_unusable(request, found, opens=opens)
    if opens:
        return _open(request, found, token)
    context = {"link": found, "customer": found.customer, "until": format_expiry(found)}
    return _allow_form(render_page(request, "link", 200, **context))


def _open(request: HttpRequest, found: PortalLink, token: str) -> HttpResponse:
    try:
        session = open_link(found)
    except LinkUnusable:
        # It has changed since it was looked up.
        return _render_unusable(request, get_link_by_token(token), opens=True)
    except AlgunaError as exc:
        log_failure(exc, logger=logger, subject="Link %(link)s", customer=found.customer_id, link=found.pk)
        return unlogged(PageResponses(request).render_failure(exc, retry_url=request.path))
    return redirect_page(request, session.url)


def _render_unusable(request: HttpRequest, found: PortalLink | None, *, opens: bool) -> HttpResponse:
    """Render the page for a link that can't be opened; record the attempt to open it.

    Unknown, tampered and revoked links have the same page, which doesn't reveal the reason.
    """
    if found and opens:
        via, customer = audit.Via.LINK.value, found.customer
        audit.record(audit.Outcome.DENIED, user=None, via=via, customer=customer, role=found.role, link=found)
    if found is None or found.state == REVOKED:
        return unlogged(render_page(request, "link_unknown", 404))
    can_be_renewed = found.renewable_until > timezone.now()
    return _allow_form(unlogged(render_page(request, "link_over", 410, can_be_renewed=can_be_renewed)))


def _renew(request: HttpRequest, found: PortalLink) -> HttpResponse:
    """Email a new link if that is allowed. The response doesn't reveal whether it was sent."""
    try:
        renew(found)
    except Exception as exc:
        if settings.DEBUG:
            raise
        message = "Link %(link)s could not be renewed (%(error)s)."
        log_event(logger.error, "link_not_renewed", message, link=found.pk, exc=exc)
    return render_page(request, "link_renewed", 200)


def _allow_form(response: HttpResponse) -> HttpResponse:
    """Set a Referrer-Policy with which the form's POST passes Django's CSRF check, but the path isn't sent.

    With `no-referrer`, Chromium sends `Origin: null`; with `same-origin`, other pages of the site would get the path.
    """
    response["Referrer-Policy"] = "strict-origin"
    return response
