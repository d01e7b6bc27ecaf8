"""Views of the demo's mailbox: a list, an email, and the email's own HTML in a browser sandbox."""

import re

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_sameorigin

from example_project.studio.mailbox import StoredEmail, find_email, get_emails

# No scripts, forms, external resources or origin. Links only work when the user follows them.
HTML_POLICY = (
    "sandbox allow-top-navigation-by-user-activation; "
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)


def mailbox(request: HttpRequest) -> HttpResponse:
    """List the emails, the newest first."""
    return render(request, "studio/mailbox.html", {"emails": get_emails()})


def mail(request: HttpRequest, name: str) -> HttpResponse:
    """Show an email as HTML and as text."""
    return render(request, "studio/mail.html", {"email": _get_email(name)})


@xframe_options_sameorigin
def mail_html(request: HttpRequest, name: str) -> HttpResponse:  # noqa: ARG001  (Django's signature)
    """Return the HTML of an email, changed only so that its links open in the whole window."""
    html = re.sub(
        r"\A(\s*<!doctype[^>]*>)?", r'\1<base target="_top">', _get_email(name).html, count=1, flags=re.IGNORECASE
    )
    headers = {"Content-Security-Policy": HTML_POLICY, "Referrer-Policy": "no-referrer"}
    return HttpResponse(html, headers=headers)


def _get_email(name: str) -> StoredEmail:
    email = find_email(name)
    if email is None:
        raise Http404("There is no such mail.")
    return email
