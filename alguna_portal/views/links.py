"""Behind a mailed link: a page that asks for one press of a button, and then the portal.

Whoever only fetches the page, as mail scanners do, uses nothing up. Pressing answers with a page that goes on to the
portal by itself, and not with a redirect: a Content-Security-Policy with `form-action 'self'` stops those. No
session and no script is needed, and no cookie but Django's against forged requests.
"""

import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.middleware.csrf import CsrfViewMiddleware
from django.urls import get_callable
from django.utils import timezone
from django.utils.decorators import decorator_from_middleware
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from alguna_portal import audit
from alguna_portal.exceptions import AlgunaError
from alguna_portal.links import LinkUnusable, find, open_link, renew, until
from alguna_portal.models import PortalLink
from alguna_portal.transactions import committing

from .pages import failure_page, page, private

logger = logging.getLogger(__name__)

METHODS = ("GET", "HEAD", "POST")
REVOKED = PortalLink.State.REVOKED
OVER = (PortalLink.State.EXPIRED, PortalLink.State.USED_UP)


def _unlogged(response: HttpResponse) -> HttpResponse:
    """Keep Django from logging, and from mailing to ADMINS, an error with its path: that is the link."""
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001  (Django's own mark)
    return response


class _QuietCsrf(CsrfViewMiddleware):
    """Django's protection against forged requests, which answers as ever, and does not log the path."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return _unlogged(get_callable(settings.CSRF_FAILURE_VIEW)(request, reason=reason))


@csrf_exempt  # from the one that logs
@committing
@private
@decorator_from_middleware(_QuietCsrf)
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Show whose portal a link opens; with POST, open it, or with `renew` mail a new link to the same address."""
    if request.method not in METHODS:
        return _unlogged(HttpResponseNotAllowed(METHODS))
    try:
        return _answer(request, token)
    except Exception as exc:
        if settings.DEBUG:
            raise
        # Django would log the path. Not in a template, since that of the host may be what failed.
        logger.error("A mailed link could not be answered (%s).", type(exc).__name__)  # noqa: TRY400
        said = _("Something went wrong here. Please try again later.")
        return _unlogged(HttpResponse(said, status=500, content_type="text/plain; charset=utf-8"))


def _answer(request: HttpRequest, token: str) -> HttpResponse:
    found = find(token)
    wants_new = request.method == "POST" and "renew" in request.POST
    presses = request.method == "POST" and not wants_new
    if found is None or found.state == REVOKED:
        if found and presses:
            _record_denied(found)
        # Unknown, tampered with, revoked: who asks is not to learn which.
        return _unlogged(page(request, "link_unknown", 404))
    if found.state in OVER:
        return _renewed(request, found) if wants_new else _over(request, found, presses=presses)
    if presses:
        return _open(request, found, token)
    return _with_form(page(request, "link", 200, link=found, customer=found.customer, until=until(found)))


def _open(request: HttpRequest, found: PortalLink, token: str) -> HttpResponse:
    try:
        session = open_link(found)
    except LinkUnusable:
        # Between the page and the press.
        return _answer(request, token)
    except AlgunaError as exc:
        return _unlogged(failure_page(request, exc, again=request.path, logger=logger, whose=f"Link {found.pk}"))
    response = page(request, "link_opened", 200, customer=found.customer, url=session.url)
    # As a header, so that it works in whichever page of the host's the template is put.
    response["Refresh"] = f"0; url={session.url}"
    return response


def _over(request: HttpRequest, found: PortalLink, *, presses: bool) -> HttpResponse:
    if presses:
        _record_denied(found)
    can_be_renewed = found.renewable_until > timezone.now()
    return _with_form(_unlogged(page(request, "link_over", 410, can_be_renewed=can_be_renewed)))


def _renewed(request: HttpRequest, found: PortalLink) -> HttpResponse:
    """Send a new link, if there is to be one; the answer does not say whether it was sent, or could be."""
    try:
        renew(found)
    except Exception as exc:
        if settings.DEBUG:
            raise
        logger.error("Link %s could not be renewed (%s).", found.pk, type(exc).__name__)  # noqa: TRY400
    return page(request, "link_renewed", 200)


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
