"""The forms that an answer of Billing's may take: a page for browsers, JSON for scripts, headers for htmx.

Who asks says which, by `HX-Request` and `Accept`. What is answered is the same in each form.
"""

import logging
from collections.abc import Callable, Sequence
from functools import wraps
from math import ceil
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    JsonResponse,
    QueryDict,
)
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from alguna_portal.access import Access
from alguna_portal.conf import conf
from alguna_portal.conf.addresses import is_email_address
from alguna_portal.exceptions import AlgunaError, AlgunaUnavailable
from alguna_portal.log_events import log_event
from alguna_portal.sessions import PortalSession

# --- from alguna_portal.views.pages

METHODS = ("GET", "HEAD", "POST")
RETRY_AFTER = 30  # seconds, where Alguna names none

View = Callable[..., HttpResponseBase]


def uncached(view: View) -> View:
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


def render_page(request: HttpRequest, name: str, status: int, **context: Any) -> HttpResponse:
    """Render one of our pages, with the support contact; under DEBUG, with the reason."""
    try:
        contact = conf.SUPPORT_CONTACT
    except ImproperlyConfigured:
        # Checks report it. Here somebody needs help, and most of the page is right.
        contact = ""
    context |= {
        "support_contact": contact,
        "support_href": f"mailto:{contact}" if is_email_address(contact) else contact,
        "debug": settings.DEBUG,
    }
    return render(request, f"alguna_portal/{name}.html", context, status=status)


@sensitive_variables()  # whose effect reaches into the template: the URL is a credential
def redirect_page(request: HttpRequest, url: str) -> HttpResponse:
    """Answer a form with a page that goes on by itself: `form-action 'self'` stops a redirect to elsewhere."""
    response = render_page(request, "link_opened", 200, url=url)
    # As a header, so that it works in whichever page of the host's the template is put.
    response["Refresh"] = f"0; url={url}"
    return response


def failure_page(request: HttpRequest, exc: AlgunaError, *, again: str) -> HttpResponse:
    """Answer with the page for what went wrong; `again` is where to try once more."""
    if not isinstance(exc, AlgunaUnavailable):
        return render_page(request, "failed", 502, reason=exc)
    seconds = retry_after(exc)
    response = render_page(request, "unavailable", 503, again=again, reason=exc, minutes=ceil(seconds / 60))
    response["Retry-After"] = str(seconds)
    return response


def retry_after(exc: AlgunaUnavailable) -> int:
    """Return in how many seconds to try again."""
    return ceil(exc.retry_after or RETRY_AFTER)


def log_failure(exc: AlgunaError, *, logger: logging.Logger, whose: str, customer: Any, link: Any = None) -> None:
    """Log why there was no session; `customer` and `link` are keys of rows."""
    message = f"{whose}: no portal session. %(detail)s"
    facts = {"customer": customer, "link": link, "status": exc.status}
    if isinstance(exc, AlgunaUnavailable):
        facts["retry_after"] = exc.retry_after
        log_event(logger.warning, "portal_unavailable", message, exc=exc, detail=exc, **facts)
    else:
        log_event(logger.error, "portal_failed", message, exc=exc, detail=exc, **facts)


# --- from alguna_portal.views.problems

TYPE = "urn:problem-type:alguna-portal:"


def problem(kind: str, status: int, **more: Any) -> JsonResponse:
    """Answer with a problem document; `more` are the members of this kind alone."""
    title, detail = _texts(kind)
    document = {"type": TYPE + kind, "title": title, "status": status, "detail": detail}
    # RFC 9457 has no null: what is not known is left out.
    document |= {name: value for name, value in more.items() if value not in (None, "")}
    return JsonResponse(document, status=status, content_type="application/problem+json")


def _texts(kind: str) -> tuple[str, str]:
    """Return a title and a detail; the same as on the page, so that they are translated once."""
    match kind:
        case "login-required":
            return _("Sign in first"), _("Billing is open to people who are signed in.")
        case "choose":
            return _("Whose billing would you like to open?"), _("You belong to more than one company.")
        case "no-access":
            return _("You can't open billing"), _(
                "Your account has no access to the billing of a company here. Ask a colleague who manages billing to "
                "give you access, and then try again."
            )
        case "prefetch":
            return _("Not opened"), _("Billing is opened by a click, not ahead of it.")
        case "method-not-allowed":
            return _("Not opened"), _("Billing is opened by GET or POST.")
        case "unavailable":
            return _("Billing is not available right now"), _(
                "Our billing provider does not answer at the moment. Nothing was changed, and the rest of the site "
                "works as usual."
            )
        case _failed:
            return _("Billing could not be opened"), _(
                "Something is not set up right between us and our billing provider. Nothing was changed. Trying again "
                "is unlikely to help; we have taken note of the problem."
            )


JSON_TYPES = ("application/json", "application/problem+json")
VARY = "Accept, HX-Request"


class Reply(Protocol):
    """The answers that Billing may give; each names what has happened."""

    def portal(self, session: PortalSession) -> HttpResponse:
        """Lead to the portal."""

    def sign_in(self, login_url: str) -> HttpResponse:
        """Lead to the sign-in page."""

    def choose(self, accesses: Sequence[Access], *, fresh: bool) -> HttpResponse:
        """Let a member of several customers choose one."""

    def no_access(self) -> HttpResponse:
        """Say that there is nothing to open."""

    def prefetch(self) -> HttpResponse:
        """Refuse whoever asks ahead of a click."""

    def not_allowed(self) -> HttpResponse:
        """Refuse a method."""

    def failed(self, exc: AlgunaError, *, again: str) -> HttpResponse:
        """Say what went wrong; `again` is where to try once more."""


class PortalRedirect(HttpResponseRedirect):
    """A redirect to a portal. Its `repr` does not show the URL, as that of other redirects does."""

    __repr__ = HttpResponse.__repr__


class PageReply:
    """Redirects, and pages that help."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def portal(self, session: PortalSession) -> HttpResponse:
        """Redirect; after a form to sign in, go on by a page."""
        if _comes_from_sign_in(self.request):
            return redirect_page(self.request, session.url)
        return PortalRedirect(session.url)

    def sign_in(self, login_url: str) -> HttpResponse:
        """Redirect."""
        return HttpResponseRedirect(login_url)

    def choose(self, accesses: Sequence[Access], *, fresh: bool) -> HttpResponse:
        """Show the chooser."""
        return render_page(self.request, "choose", 200, accesses=accesses, fresh=fresh)

    def no_access(self) -> HttpResponse:
        """Show whom to ask."""
        return render_page(self.request, "no_access", 403)

    def prefetch(self) -> HttpResponse:
        """Refuse: not by 204, which would let the prefetch stand in for the click; nor 503, which mails ADMINS."""
        return HttpResponse(status=403)

    def not_allowed(self) -> HttpResponse:
        """Name the methods that are."""
        return HttpResponseNotAllowed(METHODS)

    def failed(self, exc: AlgunaError, *, again: str) -> HttpResponse:
        """Show the page for what went wrong."""
        return failure_page(self.request, exc, again=again)


class HtmxReply(PageReply):
    """Leads the whole page on, to the portal or to the page that helps: neither belongs into a part of another page.

    `HX-Redirect` is followed whatever the status is. An XMLHttpRequest follows other redirects by itself, and then a
    sign-in page stands where the button was.
    """

    def portal(self, session: PortalSession) -> HttpResponse:
        """Have htmx go there."""
        return self._go(HttpResponse(), session.url)

    def sign_in(self, login_url: str) -> HttpResponse:
        """Have htmx go there."""
        return self._go(HttpResponse(status=401), login_url)

    def choose(self, accesses: Sequence[Access], *, fresh: bool) -> HttpResponse:  # noqa: ARG002
        """Have htmx go to the chooser."""
        return self._go(HttpResponse(), f"{reverse('alguna_portal:billing')}{'?fresh=1' if fresh else ''}")

    def no_access(self) -> HttpResponse:
        """Have htmx go to the page that says so."""
        return self._go(super().no_access(), self.request.get_full_path())

    def failed(self, exc: AlgunaError, *, again: str) -> HttpResponse:
        """Have htmx try again as a page, which may well succeed by then, or else helps."""
        return self._go(super().failed(exc, again=again), again)

    def _go(self, response: HttpResponse, url: str) -> HttpResponse:
        response["HX-Redirect"] = url
        return response


class JsonReply:
    """`url` and `expires_at`, or a problem document."""

    def portal(self, session: PortalSession) -> HttpResponse:
        """Name the portal, and when its session ends."""
        return JsonResponse({"url": session.url, "expires_at": session.expires_at})

    def sign_in(self, login_url: str) -> HttpResponse:
        """Name the sign-in page, and send nobody there."""
        response = problem("login-required", 401, login_url=login_url)
        # 401 has to name a scheme, and this is the one for sign-in pages; browsers ask nobody for a password then.
        response["WWW-Authenticate"] = 'Cookie realm="billing"'
        return response

    def choose(self, accesses: Sequence[Access], *, fresh: bool) -> HttpResponse:
        """List the choices. Not 300, which clients take for a success, or for a redirect."""
        choices = [
            {
                "customer": each.choice,
                "name": str(each.customer),
                "role": each.role,
                "url": f"{reverse('alguna_portal:billing')}?customer={each.choice}{'&fresh=1' if fresh else ''}",
            }
            for each in accesses
        ]
        return problem("choose", 409, choices=choices)

    def no_access(self) -> HttpResponse:
        """Say whom to ask."""
        return problem("no-access", 403)

    def prefetch(self) -> HttpResponse:
        """Refuse."""
        return problem("prefetch", 403)

    def not_allowed(self) -> HttpResponse:
        """Name the methods that are allowed."""
        response = problem("method-not-allowed", 405)
        response["Allow"] = ", ".join(METHODS)
        return response

    def failed(self, exc: AlgunaError, *, again: str) -> HttpResponse:
        """Say whether and when trying again may help."""
        reason = str(exc) if settings.DEBUG else ""
        if not isinstance(exc, AlgunaUnavailable):
            return problem("failed", 502, reason=reason)
        seconds = retry_after(exc)
        response = problem("unavailable", 503, retry_after=seconds, url=again, reason=reason)
        response["Retry-After"] = str(seconds)
        return response


def get_reply(request: HttpRequest) -> Reply:
    """Choose the form that whoever asks understands; where that is not clear, a page."""
    if request.META.get("HTTP_HX_REQUEST") == "true":
        return HtmxReply(request)
    # Most who ask are browsers, and to read all that they accept takes longer than the rest of this.
    if "json" in request.META.get("HTTP_ACCEPT", "").lower() and _prefers_json(request):
        return JsonReply()
    return PageReply(request)


def _comes_from_sign_in(request: HttpRequest) -> bool:
    """Say whether a sign-in page of the host's was to lead here: its form's POST is where this navigation began."""
    render_page, _, query = request.META.get("HTTP_REFERER", "").partition("?")
    if f"{REDIRECT_FIELD_NAME}=" not in query:
        return False
    try:
        is_ours = urlsplit(render_page).netloc == request.get_host()
        return is_ours and QueryDict(query).get(REDIRECT_FIELD_NAME) == request.get_full_path()
    except (SuspiciousOperation, ValueError):
        # No address, or more parameters than Django reads.
        return False


def _prefers_json(request: HttpRequest) -> bool:
    try:
        # The best first, each with what else it says, such as a charset, which makes no other type of it.
        wanted = [each for each in request.accepted_types if each.quality > 0]
    except (LookupError, ValueError):
        # A header with an encoding that Python does not know, say.
        return False
    for each in wanted:
        if f"{each.main_type}/{each.sub_type}" in JSON_TYPES:
            return True
        if each.match("text/html"):
            return False
    return False
