"""Responses of the billing view: HTML pages, JSON with problem documents (RFC 9457), and htmx headers.

The `HX-Request` and `Accept` headers select the format. The content is the same in each format. The pages behind
emailed links use the same page functions.
"""

import logging
from collections.abc import Callable, Sequence
from functools import wraps
from math import ceil
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from alguna_portal.access import Access
from alguna_portal.conf import conf
from alguna_portal.conf.addresses import is_email_address
from alguna_portal.exceptions import AlgunaError, AlgunaUnavailable
from alguna_portal.log_events import log_event
from alguna_portal.sessions import PortalSession

METHODS = ("GET", "HEAD", "POST")
RETRY_AFTER = 30  # seconds, if Alguna sends no Retry-After
JSON_TYPES = ("application/json", "application/problem+json")
VARY = "Accept, HX-Request"

# Kinds of problem documents: status, title, detail. The texts are those of the pages, so they're translated once.
PROBLEM_TYPE = "urn:problem-type:alguna-portal:"
PROBLEMS = {
    "login-required": (401, _("Sign in first"), _("Billing is open to people who are signed in.")),
    "choose": (409, _("Whose billing would you like to open?"), _("You belong to more than one company.")),
    "no-access": (
        403,
        _("You can't open billing"),
        _(
            "Your account has no access to the billing of a company here. Ask a colleague who manages billing to "
            "give you access, and then try again."
        ),
    ),
    "prefetch": (403, _("Not opened"), _("Billing is opened by a click, not ahead of it.")),
    "method-not-allowed": (405, _("Not opened"), _("Billing is opened by GET or POST.")),
    "unavailable": (
        503,
        _("Billing is not available right now"),
        _(
            "Our billing provider does not answer at the moment. Nothing was changed, and the rest of the site "
            "works as usual."
        ),
    ),
    "failed": (
        502,
        _("Billing could not be opened"),
        _(
            "Something is not set up right between us and our billing provider. Nothing was changed. Trying again "
            "is unlikely to help; we have taken note of the problem."
        ),
    ),
}

View = Callable[..., HttpResponseBase]


def uncached(view: View) -> View:
    """Decorate a view so that its responses aren't cached, send no `Referer` and can't be framed."""

    @wraps(view)
    def wrapped(*args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(*args, **kwargs)
        response["Cache-Control"] = "no-store"
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response["X-Frame-Options"] = "DENY"
        return response

    return wrapped


def unlogged(response: HttpResponse) -> HttpResponse:
    """Prevent Django from logging an error response with its path, and from mailing it to ADMINS."""
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001  (Django's own flag)
    return response


def render_page(request: HttpRequest, name: str, status: int, **context: Any) -> HttpResponse:
    """Render a page of the app, with the support contact and, under DEBUG, the reason."""
    try:
        contact = conf.SUPPORT_CONTACT
    except ImproperlyConfigured:
        # System checks report it. A page without the contact is better than an error.
        contact = ""
    context |= {
        "support_contact": contact,
        "support_href": f"mailto:{contact}" if is_email_address(contact) else contact,
        "debug": settings.DEBUG,
    }
    return render(request, f"alguna_portal/{name}.html", context, status=status)


@sensitive_variables()  # also hides the template's frames: the URL is a credential
def redirect_page(request: HttpRequest, url: str) -> HttpResponse:
    """Render a page that redirects. After a form, `form-action 'self'` blocks HTTP redirects to other sites."""
    response = render_page(request, "link_opened", 200, url=url)
    # A header works in every template of the host.
    response["Refresh"] = f"0; url={url}"
    return response


def create_problem(kind: str, headers: dict[str, str] | None = None, **members: Any) -> JsonResponse:
    """Create a problem document; `members` are additional members."""
    status, title, detail = PROBLEMS[kind]
    document = {"type": PROBLEM_TYPE + kind, "title": title, "status": status, "detail": detail}
    # RFC 9457 has no null: unknown members are omitted.
    document |= {name: value for name, value in members.items() if value not in (None, "")}
    return JsonResponse(document, status=status, content_type="application/problem+json", headers=headers)


def log_failure(exc: AlgunaError, *, logger: logging.Logger, subject: str, customer: Any, link: Any = None) -> None:
    """Log why no session was opened; `customer` and `link` are primary keys, which `subject` names as fields."""
    message = subject + ": no portal session. %(detail)s"
    fields = {"customer": customer, "link": link, "status": exc.status}
    if isinstance(exc, AlgunaUnavailable):
        fields["retry_after"] = exc.retry_after
        log_event(logger.warning, "portal_unavailable", message, exc=exc, detail=exc, **fields)
    else:
        log_event(logger.error, "portal_failed", message, exc=exc, detail=exc, **fields)


class PortalRedirect(HttpResponseRedirect):
    """A redirect to a portal. Its `repr` doesn't contain the URL, unlike Django's."""

    __repr__ = HttpResponse.__repr__


class PageResponses:
    """The billing view's responses as redirects and HTML pages."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def render_portal(self, session: PortalSession) -> HttpResponse:
        """Redirect to the portal; after a sign-in form, with a page."""
        if _comes_from_sign_in(self.request):
            return redirect_page(self.request, session.url)
        return PortalRedirect(session.url)

    def render_login_required(self, login_url: str) -> HttpResponse:
        return HttpResponseRedirect(login_url)

    def render_choices(self, accesses: Sequence[Access], *, fresh: bool) -> HttpResponse:
        return render_page(self.request, "choose", 200, accesses=accesses, fresh=fresh)

    def render_no_access(self) -> HttpResponse:
        return render_page(self.request, "no_access", 403)

    def render_prefetch(self) -> HttpResponse:
        """Refuse a prefetch. After 204 browsers don't send the click's own request; 503 is mailed to ADMINS."""
        return HttpResponse(status=403)

    def render_method_not_allowed(self) -> HttpResponse:
        return HttpResponseNotAllowed(METHODS)

    def render_failure(self, exc: AlgunaError, *, retry_url: str) -> HttpResponse:
        """Return why the portal can't be opened; if another attempt may succeed, with `retry_url` and the time."""
        if not isinstance(exc, AlgunaUnavailable):
            return render_page(self.request, "failed", 502, reason=exc)
        seconds = ceil(exc.retry_after or RETRY_AFTER)
        page = render_page(self.request, "unavailable", 503, again=retry_url, reason=exc, minutes=ceil(seconds / 60))
        page["Retry-After"] = str(seconds)
        return page


class HtmxResponses(PageResponses):
    """Responses with `HX-Redirect`, so that htmx loads the portal or a page instead of swapping in a fragment.

    htmx follows this header whatever the status is. An XMLHttpRequest would follow an HTTP redirect by itself, and htmx
    would put the sign-in page in place of the button.
    """

    def render_portal(self, session: PortalSession) -> HttpResponse:
        return self._redirect(HttpResponse(), session.url)

    def render_login_required(self, login_url: str) -> HttpResponse:
        return self._redirect(HttpResponse(status=401), login_url)

    def render_choices(self, accesses: Sequence[Access], *, fresh: bool) -> HttpResponse:  # noqa: ARG002
        return self._redirect(HttpResponse(), f"{reverse('alguna_portal:billing')}{'?fresh=1' if fresh else ''}")

    def render_no_access(self) -> HttpResponse:
        return self._redirect(super().render_no_access(), self.request.get_full_path())

    def render_failure(self, exc: AlgunaError, *, retry_url: str) -> HttpResponse:
        """Redirect to another attempt, which may succeed or render the page."""
        return self._redirect(super().render_failure(exc, retry_url=retry_url), retry_url)

    def _redirect(self, response: HttpResponse, url: str) -> HttpResponse:
        response["HX-Redirect"] = url
        return response


class JsonResponses(PageResponses):
    """The billing view's responses as JSON: `url` and `expires_at`, or a problem document."""

    def render_portal(self, session: PortalSession) -> HttpResponse:
        return JsonResponse({"url": session.url, "expires_at": session.expires_at})

    def render_login_required(self, login_url: str) -> HttpResponse:
        # 401 requires a scheme. With this one for sign-in pages, browsers don't ask for a password.
        return create_problem("login-required", {"WWW-Authenticate": 'Cookie realm="billing"'}, login_url=login_url)

    def render_choices(self, accesses: Sequence[Access], *, fresh: bool) -> HttpResponse:
        """List the choices. The status isn't 300, which clients treat as a success or a redirect."""
        url = reverse("alguna_portal:billing")
        choices = [
            {
                "customer": each.choice,
                "name": str(each.customer),
                "role": each.role,
                "url": f"{url}?customer={each.choice}{'&fresh=1' if fresh else ''}",
            }
            for each in accesses
        ]
        return create_problem("choose", choices=choices)

    def render_no_access(self) -> HttpResponse:
        return create_problem("no-access")

    def render_prefetch(self) -> HttpResponse:
        return create_problem("prefetch")

    def render_method_not_allowed(self) -> HttpResponse:
        return create_problem("method-not-allowed", {"Allow": ", ".join(METHODS)})

    def render_failure(self, exc: AlgunaError, *, retry_url: str) -> HttpResponse:
        reason = str(exc) if settings.DEBUG else ""
        if not isinstance(exc, AlgunaUnavailable):
            return create_problem("failed", reason=reason)
        seconds = ceil(exc.retry_after or RETRY_AFTER)
        headers = {"Retry-After": str(seconds)}
        return create_problem("unavailable", headers, retry_after=seconds, url=retry_url, reason=reason)


def get_responses(request: HttpRequest) -> PageResponses:
    """Return the responses in the format that the request accepts; in doubt, pages."""
    if request.META.get("HTTP_HX_REQUEST") == "true":
        return HtmxResponses(request)
    # Most clients are browsers, and parsing their Accept header takes longer than the rest of this function.
    if "json" in request.META.get("HTTP_ACCEPT", "").lower() and _prefers_json(request):
        return JsonResponses(request)
    return PageResponses(request)


def _prefers_json(request: HttpRequest) -> bool:
    try:
        # Sorted by preference. Parameters such as charset don't change the media type.
        accepted = [each for each in request.accepted_types if each.quality > 0]
    except (LookupError, ValueError):
        # For example, a header with an encoding that Python doesn't know.
        return False
    for each in accepted:
        if f"{each.main_type}/{each.sub_type}" in JSON_TYPES:
            return True
        if each.match("text/html"):
            return False
    return False


def _comes_from_sign_in(request: HttpRequest) -> bool:
    """Return whether this navigation began with the POST of the host's sign-in form, according to `Referer`."""
    address, _, query = request.META.get("HTTP_REFERER", "").partition("?")
    if f"{REDIRECT_FIELD_NAME}=" not in query:
        return False
    try:
        is_same_host = urlsplit(address).netloc == request.get_host()
        return is_same_host and QueryDict(query).get(REDIRECT_FIELD_NAME) == request.get_full_path()
    except (SuspiciousOperation, ValueError):
        # An invalid URL, or more parameters than Django parses.
        return False
