"""Pages that ask before something is done with customers: what they have in common."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from alguna_portal.conf import conf
from alguna_portal.links import SendResult
from alguna_portal.models import Customer

from .base import PagesAdmin, company

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


# --- from alguna_portal.admin.telling

# What is begun late still has time to end well: gunicorn kills whoever takes longer than 30 seconds, and with that
# goes the report.
START_SECONDS = 15

# Of each kind, messages or names: they are kept in a cookie, or else in the session.
MOST_TOLD = 20

# A level of Django's, and a text.
Message = tuple[int, str]


def enumerated(names: Iterable[SafeString | str]) -> SafeString:
    """Put names in a row; of many, the first, and how many more there are."""
    every = list(names)
    # Translators: stands between the names of customers.
    separator = pgettext("between names", ", ")
    told = format_html_join(separator, "{}", ((name,) for name in every[:MOST_TOLD]))
    if not (rest := len(every) - MOST_TOLD) > 0:
        return told
    # Translators: ends a list of customers' names.
    text = ngettext("%(names)s, and %(count)d more", "%(names)s, and %(count)d more", rest)
    return filled(text, count=rest, names=told)


def filled(text: str, *, count: int, **parts: SafeString | str) -> SafeString:
    """Fill a text of ours in: parts that are marked up stay so, and all others are escaped."""
    return format_html(text % {"count": count, **{name: f"{{{name}}}" for name in parts}}, **parts)


# --- from alguna_portal.admin.history


def author(request: HttpRequest) -> "AbstractBaseUser":
    """Return the user; nobody else gets into the admin."""
    return cast("AbstractBaseUser", request.user)


def note(request: HttpRequest, rows: Sequence[Model], text: str) -> None:
    """Note in each row's history who did what, with one statement; not of somebody who was deleted meanwhile."""
    # Django's own admin passes lists, too.
    queryset: Any = rows
    with suppress(IntegrityError):
        LogEntry.objects.log_actions(author(request).pk, queryset, CHANGE, text)


# --- from alguna_portal.admin.posting

MALFORMED = ValidationError.__name__  # what `send_links` calls an address that is none

Page = Callable[[Customer], str]


def report(posted: SendResult, hidden: list[Customer], page: Page) -> Iterator[Message]:
    """Tell what became of links; `hidden` are the customers that the sender may not see."""
    if posted.sent:
        yield sent(len(posted.sent))
    yield from left_out(posted, hidden, page)


def left_out(posted: SendResult, hidden: list[Customer], page: Page) -> Iterator[Message]:
    """Tell who got no mail, and why."""
    if posted.untried:
        count = len(posted.untried)
        text = ngettext(
            "%(count)d portal link was not tried, since mailing takes too long for one request: %(names)s. "
            "Try it again, or set ALGUNA_PORTAL_USE_TASKS.",
            "%(count)d portal links were not tried, since mailing takes too long for one request: %(names)s. "
            "Try them again, or set ALGUNA_PORTAL_USE_TASKS.",
            count,
        )
        yield messages.WARNING, filled(text, count=count, names=_names(posted.untried, page))
    if posted.skipped:
        count = len(posted.skipped)
        text = ngettext(
            "%(count)d customer has no e-mail address: %(names)s",
            "%(count)d customers have no e-mail address: %(names)s",
            count,
        )
        yield messages.WARNING, filled(text, count=count, names=_names(posted.skipped, page))
    if hidden:
        count = len(hidden)
        text = ngettext(
            "%(count)d customer that you may not view: %(names)s",
            "%(count)d customers that you may not view: %(names)s",
            count,
        )
        yield messages.WARNING, filled(text, count=count, names=_names(hidden, page))
    for kind, failures in groupby(sorted(posted.failed, key=itemgetter(1)), key=itemgetter(1)):
        customers = [customer for customer, _kind in failures]
        text = ngettext(
            "%(count)d portal link failed (%(kind)s): %(names)s",
            "%(count)d portal links failed (%(kind)s): %(names)s",
            len(customers),
        )
        reason = _("malformed e-mail address") if kind == MALFORMED else kind
        yield messages.ERROR, filled(text, count=len(customers), kind=reason, names=_names(customers, page))


def sent(count: int) -> Message:
    """Say how many links were sent, or are left to workers."""
    if conf.USE_TASKS:
        text = ngettext(
            "%(count)d portal link queued: a worker mails it.",
            "%(count)d portal links queued: workers mail them.",
            count,
        )
    else:
        text = ngettext("%(count)d portal link sent.", "%(count)d portal links sent.", count)
    return messages.SUCCESS, text % {"count": count}


def broken_off(wanted: int, posted: SendResult) -> Message:
    """Say that an error ended it, and of how many of the links that were `wanted` nothing else is told."""
    count = wanted - len(posted.sent) - len(posted.untried) - len(posted.failed) - len(posted.skipped)
    text = ngettext(
        "An unexpected error ended it: %(count)d portal link was not sent, as far as is known.",
        "An unexpected error ended it: %(count)d portal links were not sent, as far as is known.",
        count,
    )
    return messages.ERROR, text % {"count": count}


def noted() -> str:
    """Say in a customer's history what was done."""
    return _("Portal link queued.") if conf.USE_TASKS else _("Portal link sent.")


def _names(customers: Iterable[Customer], page: Page) -> SafeString:
    """Name each customer once, however many links it was to have, with the way to its page."""
    return enumerated(_named(customer, page(customer)) for customer in dict.fromkeys(customers))


def _named(customer: Customer, url: str) -> SafeString | str:
    name = company(customer)
    return format_html('<a href="{}" class="alguna-portal-named">{}</a>', url, name) if url else name


if TYPE_CHECKING:

    class CustomerAdminBase(PagesAdmin, admin.ModelAdmin[Customer]): ...

else:
    CustomerAdminBase = PagesAdmin


# Of each kind, on such a page.
MOST_LISTED = 200


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A customer on such a page: its address, masked, where it gets mail, or why it is left out."""

    name: str
    url: str
    address: str = ""
    reasons: Sequence[str] = ()


def selection(request: HttpRequest, action: str) -> list[tuple[str, str]]:
    """Give the form fields with which a page that asks says once more what was selected in the list."""
    across = request.POST.get("select_across") == "1"
    selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
    # Of a selection across all pages Django wants one name, and finds the others by the filters in the address.
    fields = [(ACTION_CHECKBOX_NAME, key) for key in (selected[:1] if across else selected)]
    return [*fields, ("select_across", "1" if across else "0"), ("action", action)]


class AskingAdmin(CustomerAdminBase):
    """The frame of such a page, and the ways back from it."""

    def _question(self, request: HttpRequest, template: str, title: str, context: dict[str, Any]) -> HttpResponse:
        """Show a page that asks, in the admin's frame."""
        frame = {
            **self.admin_site.each_context(request),
            "title": title,
            "original": title,
            "subtitle": None,
            "has_view_permission": True,
            "opts": self.opts,
            "media": self.media,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"admin/alguna_portal/customer/{template}.html", frame | context)

    def _keep_filters(self, request: HttpRequest, url: str) -> str:
        """Let the way back to the list lead to the list as it was filtered."""
        return add_preserved_filters({"preserved_filters": self.get_preserved_filters(request), "opts": self.opts}, url)
