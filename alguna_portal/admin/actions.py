"""What admin actions share: bounded batches, messages about their results, history entries, confirmation pages."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter, itemgetter
from time import monotonic
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
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
from alguna_portal.models import Customer, PortalLink

from .base import BaseAdmin, Message, get_customer_name

# No object is begun later, so that the last one can end: gunicorn kills requests after 30 seconds.
START_SECONDS = 15

# Messages of one action, and names in one message: a cookie or the session stores them.
MAX_MESSAGES = 20

# Customers of each kind on a confirmation page.
MAX_LISTED = 200


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of an action for one object. If `stops` is set, the action would fail for the next object, too."""

    outcome: str
    level: int = messages.ERROR
    name: str = ""
    error: str = ""
    changed: Any = None  # the object, if its history gets an entry
    stops: bool = False


def run_batch(keys: Iterable[Any], process: Callable[[Any, float], Result]) -> Iterator[Result]:
    """Process one object after the other, until START_SECONDS have passed or a result stops the batch.

    `process` gets the primary key and the seconds that have passed. It reads the object itself, so that it sees
    changes that were made since the selection.
    """
    started = monotonic()
    for key in keys:
        elapsed = monotonic() - started
        if elapsed >= START_SECONDS:
            return
        result = process(key, elapsed)
        yield result
        if result.stops:
            return


def log_change(request: HttpRequest, objects: Sequence[Model], text: str) -> None:
    """Add an entry to each object's history with one query, unless the user has been deleted in the meantime."""
    # The stubs require a queryset, but Django's own admin passes lists, too.
    log_actions: Any = LogEntry.objects.log_actions
    with suppress(IntegrityError):
        log_actions(request.user.pk, objects, CHANGE, text)


def join_names(names: Iterable[SafeString | str]) -> SafeString:
    """Join names for a message: at most MAX_MESSAGES, then how many more there are."""
    every = list(names)
    # Translators: stands between the names of customers.
    separator = pgettext("between names", ", ")
    joined = format_html_join(separator, "{}", ((name,) for name in every[:MAX_MESSAGES]))
    if not (rest := len(every) - MAX_MESSAGES) > 0:
        return joined
    # Translators: ends a list of customers' names.
    text = ngettext("%(names)s, and %(count)d more", "%(names)s, and %(count)d more", rest)
    return format_message(text, count=rest, names=joined)


def format_message(text: str, *, count: int, **parts: SafeString | str) -> SafeString:
    """Fill in a translated text as HTML: all parts that aren't marked as safe are escaped."""
    return format_html(text % {"count": count, **{name: f"{{{name}}}" for name in parts}}, **parts)


@contextmanager
def report_sent_links(
    model_admin: BaseAdmin,
    request: HttpRequest,
    total: int,
    *,
    hidden: Sequence[Customer] = (),
    originals: Sequence[PortalLink] = (),
) -> Iterator[SendResult]:
    """Report in histories and messages which of the `total` links the block has sent, also if it raises an error.

    `hidden` are customers that the user may not view. `originals` are the earlier links if the links are sent again.
    """
    result = SendResult()
    try:
        yield result
    except BaseException:
        model_admin.show_messages(request, [get_error_message(total, result)])
        raise
    finally:
        # This is the only report of emails that can't be taken back.
        sent = _("Portal link queued.") if conf.USE_TASKS else _("Portal link sent.")
        log_change(request, [link.customer for link in result.sent], sent)
        log_change(request, find_resent_links(originals, result.sent), _("Sent again, as a new link."))
        model_admin.show_messages(request, _get_sent_messages(len(result.sent), resent=bool(originals)))
        model_admin.show_messages(request, _get_unsent_messages(result, hidden, model_admin.get_change_url))


def get_error_message(total: int, result: SendResult) -> Message:
    """Return the message about an unexpected error, with the number of links that no other message counts."""
    count = total - len(result.sent) - len(result.untried) - len(result.failed) - len(result.skipped)
    text = ngettext(
        "An unexpected error ended it: %(count)d portal link was not sent, as far as is known.",
        "An unexpected error ended it: %(count)d portal links were not sent, as far as is known.",
        count,
    )
    return messages.ERROR, text % {"count": count}


def find_resent_links(originals: Sequence[PortalLink], sent: Sequence[PortalLink]) -> list[PortalLink]:
    """Return the originals of the sent links; of identical originals, only as many as were sent."""
    get_email = attrgetter("customer_id", "recipient", "role", "note")
    remaining = Counter(map(get_email, sent))
    resent = []
    for link in originals:
        if remaining[get_email(link)]:
            remaining[get_email(link)] -= 1
            resent.append(link)
    return resent


def _get_sent_messages(count: int, *, resent: bool) -> Iterator[Message]:
    if not count:
        return
    if conf.USE_TASKS:
        text = ngettext(
            "%(count)d portal link queued: a worker mails it.",
            "%(count)d portal links queued: workers mail them.",
            count,
        )
    else:
        text = ngettext("%(count)d portal link sent.", "%(count)d portal links sent.", count)
    yield messages.SUCCESS, text % {"count": count}
    if resent:
        text = ngettext(
            "A new link, to the same recipient: the earlier one stays what it is.",
            "New links, to the same recipients: the earlier ones stay what they are.",
            count,
        )
        yield messages.INFO, text


def _get_unsent_messages(
    result: SendResult, hidden: Sequence[Customer], get_url: Callable[[Customer], str]
) -> Iterator[Message]:
    def fill_in(text: str, customers: Sequence[Customer], **parts: str) -> SafeString:
        # Each customer is named once, however many links it was to get.
        names = join_names(_render_customer(customer, get_url(customer)) for customer in dict.fromkeys(customers))
        return format_message(text, count=len(customers), names=names, **parts)

    if result.untried:
        text = ngettext(
            "%(count)d portal link was not tried, since mailing takes too long for one request: %(names)s. "
            "Try it again, or set ALGUNA_PORTAL_USE_TASKS.",
            "%(count)d portal links were not tried, since mailing takes too long for one request: %(names)s. "
            "Try them again, or set ALGUNA_PORTAL_USE_TASKS.",
            len(result.untried),
        )
        yield messages.WARNING, fill_in(text, result.untried)
    if result.skipped:
        text = ngettext(
            "%(count)d customer has no e-mail address: %(names)s",
            "%(count)d customers have no e-mail address: %(names)s",
            len(result.skipped),
        )
        yield messages.WARNING, fill_in(text, result.skipped)
    if hidden:
        text = ngettext(
            "%(count)d customer that you may not view: %(names)s",
            "%(count)d customers that you may not view: %(names)s",
            len(hidden),
        )
        yield messages.WARNING, fill_in(text, hidden)
    for failure, failures in groupby(sorted(result.failed, key=itemgetter(1)), key=itemgetter(1)):
        customers = [customer for customer, _failure in failures]
        text = ngettext(
            "%(count)d portal link failed (%(kind)s): %(names)s",
            "%(count)d portal links failed (%(kind)s): %(names)s",
            len(customers),
        )
        reason = _("malformed e-mail address") if failure == ValidationError.__name__ else failure
        yield messages.ERROR, fill_in(text, customers, kind=reason)


def _render_customer(customer: Customer, url: str) -> SafeString | str:
    name = get_customer_name(customer)
    return format_html('<a href="{}" class="alguna-portal-named">{}</a>', url, name) if url else name


@dataclass(frozen=True)
class ListedCustomer:
    """A customer on a confirmation page: with the masked email address, or with reasons why it's left out."""

    name: str
    url: str
    reasons: Sequence[str] = ()
    address: str = ""


def get_selection_fields(request: HttpRequest, action: str) -> list[tuple[str, str]]:
    """Return the hidden form fields that repeat the changelist's selection on a confirmation page."""
    across = request.POST.get("select_across") == "1"
    selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
    # For a selection across all pages Django needs one key, and finds the objects by the filters in the URL.
    fields = [(ACTION_CHECKBOX_NAME, key) for key in (selected[:1] if across else selected)]
    return [*fields, ("select_across", "1" if across else "0"), ("action", action)]


def render_confirmation_page(
    model_admin: BaseAdmin, request: HttpRequest, template: str, title: str, context: dict[str, Any]
) -> HttpResponse:
    """Render the page that an action shows before it does anything."""
    page = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "original": title,
        "subtitle": None,
        "has_view_permission": True,
        "opts": model_admin.opts,
        "media": model_admin.media,
    }
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, f"admin/alguna_portal/customer/{template}.html", page | context)
