"""What all of our pages have in common: they are private, and help where something went wrong."""

import logging
from collections.abc import Callable
from functools import wraps
from math import ceil
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.debug import sensitive_variables

from alguna_portal.conf import conf
from alguna_portal.conf.addresses import is_mail_address
from alguna_portal.exceptions import AlgunaError, AlgunaUnavailable
from alguna_portal.log_events import event

METHODS = ("GET", "HEAD", "POST")
RETRY_AFTER = 30  # seconds, where Alguna names none

View = Callable[..., HttpResponseBase]


def private(view: View) -> View:
    """Keep a view's answers, whatever they are, out of caches, out of `Referer` and out of frames."""

    @wraps(view)
    def wrapped(*args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(*args, **kwargs)
        response["Cache-Control"] = "no-store"
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response["X-Frame-Options"] = "DENY"
        return response

    return wrapped


def unlogged(response: HttpResponse) -> HttpResponse:
    """Keep Django from logging an error, and from mailing it to ADMINS, with its path."""
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001  (Django's own mark)
    return response


def page(request: HttpRequest, name: str, status: int, **context: Any) -> HttpResponse:
    """Render one of our pages, with the support contact; under DEBUG, with the reason."""
    try:
        contact = conf.SUPPORT_CONTACT
    except ImproperlyConfigured:
        # Checks report it. Here somebody needs help, and most of the page is right.
        contact = ""
    context |= {
        "support_contact": contact,
        "support_href": f"mailto:{contact}" if is_mail_address(contact) else contact,
        "debug": settings.DEBUG,
    }
    return render(request, f"alguna_portal/{name}.html", context, status=status)


@sensitive_variables()  # whose effect reaches into the template: the URL is a credential
def going_on(request: HttpRequest, url: str) -> HttpResponse:
    """Answer a form with a page that goes on by itself: `form-action 'self'` stops a redirect to elsewhere."""
    response = page(request, "link_opened", 200, url=url)
    # As a header, so that it works in whichever page of the host's the template is put.
    response["Refresh"] = f"0; url={url}"
    return response


def failure_page(request: HttpRequest, exc: AlgunaError, *, again: str) -> HttpResponse:
    """Answer with the page for what went wrong; `again` is where to try once more."""
    if not isinstance(exc, AlgunaUnavailable):
        return page(request, "failed", 502, reason=exc)
    seconds = retry_after(exc)
    response = page(request, "unavailable", 503, again=again, reason=exc, minutes=ceil(seconds / 60))
    response["Retry-After"] = str(seconds)
    return response


def retry_after(exc: AlgunaUnavailable) -> int:
    """Return in how many seconds to try again."""
    return ceil(exc.retry_after or RETRY_AFTER)


def note(exc: AlgunaError, *, logger: logging.Logger, whose: str, customer: Any, link: Any = None) -> None:
    """Log why there was no session; `customer` and `link` are keys of rows."""
    facts = {"customer": customer, "link": link, "error": type(exc).__name__, "status": exc.status}
    if isinstance(exc, AlgunaUnavailable):
        extra = event("portal_unavailable", **facts, retry_after=exc.retry_after)
        logger.warning("%s: no portal session. %s", whose, exc, extra=extra)
    else:
        logger.error("%s: no portal session. %s", whose, exc, extra=event("portal_failed", **facts))
