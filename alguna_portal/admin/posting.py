"""What is told of links that were sent from the admin: to how many, who was left out, what failed. And no address."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alguna_portal.conf import conf
from alguna_portal.links import Posted
from alguna_portal.models import Customer

from .naming import company
from .telling import Message, enumerated, filled

MALFORMED = ValidationError.__name__  # what `send_links` calls an address that is none

Page = Callable[[Customer], str]


def report(posted: Posted, hidden: list[Customer], page: Page) -> Iterator[Message]:
    """Tell what became of links; `hidden` are the customers that the sender may not see."""
    if posted.sent:
        yield sent(len(posted.sent))
    yield from left_out(posted, hidden, page)


def left_out(posted: Posted, hidden: list[Customer], page: Page) -> Iterator[Message]:
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


def broken_off(wanted: int, posted: Posted) -> Message:
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
