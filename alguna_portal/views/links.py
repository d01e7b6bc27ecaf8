"""Behind a mailed link: a page that asks for one press of a button, and then the portal.

Whoever only fetches the page, as mail scanners do, uses nothing up. Pressing answers with a page that goes on to the
portal by itself, and not with a redirect: a Content-Security-Policy with `form-action 'self'` stops those. No
session and no script is needed, and no cookie but Django's against forged requests.
"""

import logging

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.middleware.csrf import CsrfViewMiddleware
from django.urls import get_callable
from django.utils.decorators import decorator_from_middleware
from django.views.decorators.csrf import csrf_exempt

from alguna_portal.exceptions import AlgunaError
from alguna_portal.links import LinkUnusable, find, open_link, renew
from alguna_portal.models import PortalLink

from .pages import failure_page, page, private

logger = logging.getLogger(__name__)

METHODS = ("GET", "HEAD", "POST")
WORKS = (PortalLink.State.ACTIVE, PortalLink.State.NOT_SENT)


def _unlogged(response: HttpResponse) -> HttpResponse:
    """Keep Django from logging, and from mailing to ADMINS, an error with its path: that is the link."""
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001  (Django's own mark)
    return response


class _QuietCsrf(CsrfViewMiddleware):
    """Django's protection against forged requests, which answers as ever, and does not log the path."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return _unlogged(get_callable(settings.CSRF_FAILURE_VIEW)(request, reason=reason))


@csrf_exempt  # from the one that logs
@transaction.non_atomic_requests  # no transaction is held open while Alguna is asked
@private
@decorator_from_middleware(_QuietCsrf)
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Show whose portal a link opens; with POST, open it, or with `renew` mail a new link to the same address."""
    if request.method not in METHODS:
        return _unlogged(HttpResponseNotAllowed(METHODS))
    found = find(token)
    if found is None:
        # Unknown, tampered with, revoked: who asks is not to learn which.
        return _unlogged(page(request, "link_unknown", 404))
    if found.state not in WORKS:
        return _over(request, found)
    if request.method == "POST" and "renew" not in request.POST:
        return _open(request, found)
    response = page(request, "link", 200, link=found, customer=found.customer)
    # Not "no-referrer", with which Chromium sends the form's POST as if from nowhere, and Django refuses it.
    response["Referrer-Policy"] = "same-origin"
    return response


def _open(request: HttpRequest, found: PortalLink) -> HttpResponse:
    try:
        session = open_link(found)
    except LinkUnusable:
        return _over(request, found)
    except AlgunaError as exc:
        return _unlogged(failure_page(request, exc, again=request.path, logger=logger, whose=f"Link {found.pk}"))
    response = page(request, "link_opened", 200, customer=found.customer, url=session.url)
    # As a header, so that it works in whichever page of the host's the template is put.
    response["Refresh"] = f"0; url={session.url}"
    return response


def _over(request: HttpRequest, found: PortalLink) -> HttpResponse:
    """Offer a new link, and send it where that is asked for; the answer does not say whether one was sent."""
    if request.method == "POST" and "renew" in request.POST:
        renew(found)
        return page(request, "link_renewed", 200)
    response = _unlogged(page(request, "link_over", 410))
    response["Referrer-Policy"] = "same-origin"
    return response
