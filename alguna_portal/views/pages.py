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

from alguna_portal.conf import conf
from alguna_portal.exceptions import AlgunaError, AlgunaUnavailable
from alguna_portal.setting_addresses import is_mail_address

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


def failure_page(
    request: HttpRequest, exc: AlgunaError, *, again: str, logger: logging.Logger, whose: str
) -> HttpResponse:
    """Answer with the page for what went wrong, and log it; `again` is where to try once more."""
    if isinstance(exc, AlgunaUnavailable):
        logger.warning("%s: no portal session. %s", whose, exc)
        seconds = ceil(exc.retry_after or RETRY_AFTER)
        response = page(request, "unavailable", 503, again=again, reason=exc, minutes=ceil(seconds / 60))
        response["Retry-After"] = str(seconds)
        return response
    logger.error("%s: no portal session. %s", whose, exc)
    return page(request, "failed", 502, reason=exc)
