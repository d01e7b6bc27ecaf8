"""The demo's mailbox: its list, a mail, and the mail's own HTML, which is kept from doing anything."""

import re

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_sameorigin

from example_project.studio.mailbox import Letter, letter, letters

# No script, no form, nothing fetched, no origin; its links lead somewhere only when somebody follows them.
CAGE = (
    "sandbox allow-top-navigation-by-user-activation; "
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)


def mailbox(request: HttpRequest) -> HttpResponse:
    """List the mails, the newest first."""
    return render(request, "studio/mailbox.html", {"letters": letters()})


def mail(request: HttpRequest, name: str) -> HttpResponse:
    """Show a mail in both of its forms."""
    return render(request, "studio/mail.html", {"letter": _found(name)})


@xframe_options_sameorigin
def mail_html(request: HttpRequest, name: str) -> HttpResponse:  # noqa: ARG001  (Django's)
    """Answer with the HTML of a mail as it is, but for where its links open: in the whole window."""
    html = re.sub(
        r"\A(\s*<!doctype[^>]*>)?", r'\1<base target="_top">', _found(name).html, count=1, flags=re.IGNORECASE
    )
    headers = {"Content-Security-Policy": CAGE, "Referrer-Policy": "no-referrer"}
    return HttpResponse(html, headers=headers)


def _found(name: str) -> Letter:
    found = letter(name)
    if found is None:
        raise Http404("There is no such mail.")
    return found
