"""What is told of links that were sent from the admin: to how many, who was left out, what failed. And no address."""

from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alguna_portal.conf import conf
from alguna_portal.links import Posted
from alguna_portal.models import Customer

from .naming import company

# Past this no other mail is begun: gunicorn kills whoever takes longer than 30 seconds, and with that the report.
START_SECONDS = 20.0

# More would not fit where messages are kept until the next page.
MOST_NAMED = 20

MALFORMED = ValidationError.__name__  # what `send_links` calls an address that is none

Page = Callable[[Customer], str]
Message = tuple[int, str]


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
            "%(count)d customer was not tried, since mailing takes too long for one request. "
            "Select it again, or set ALGUNA_PORTAL_USE_TASKS.",
            "%(count)d customers were not tried, since mailing takes too long for one request. "
            "Select them again, or set ALGUNA_PORTAL_USE_TASKS.",
            count,
        )
        yield messages.WARNING, _naming(text % {"count": count}, posted.untried, page)
    if posted.skipped:
        count = len(posted.skipped)
        text = ngettext(
            "%(count)d customer has no e-mail address:", "%(count)d customers have no e-mail address:", count
        )
        yield messages.WARNING, _naming(text % {"count": count}, posted.skipped, page)
    if hidden:
        count = len(hidden)
        text = ngettext(
            "%(count)d customer that you may not view:", "%(count)d customers that you may not view:", count
        )
        yield messages.WARNING, _naming(text % {"count": count}, hidden, page)
    for kind, failures in groupby(sorted(posted.failed, key=itemgetter(1)), key=itemgetter(1)):
        customers = [customer for customer, _kind in failures]
        text = ngettext(
            "%(count)d portal link failed (%(kind)s):", "%(count)d portal links failed (%(kind)s):", len(customers)
        )
        facts = {"count": len(customers), "kind": _("malformed e-mail address") if kind == MALFORMED else kind}
        yield messages.ERROR, _naming(text % facts, customers, page)


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


def broken_off(count: int) -> Message:
    """Say that an error ended it, and for how many no mail is known to be out."""
    text = ngettext(
        "An unexpected error ended it: %(count)d portal link was not sent, as far as is known.",
        "An unexpected error ended it: %(count)d portal links were not sent, as far as is known.",
        count,
    )
    return messages.ERROR, text % {"count": count}


def noted() -> str:
    """Say in a customer's history what was done."""
    return _("Portal link queued.") if conf.USE_TASKS else _("Portal link sent.")


def _naming(text: str, customers: list[Customer], page: Page) -> SafeString:
    """Name customers after a text, each leading to its page, where it has one; of many, the first."""
    names = format_html_join(", ", "{}", ((_named(customer, page(customer)),) for customer in customers[:MOST_NAMED]))
    if not (rest := len(customers) - MOST_NAMED) > 0:
        return format_html("{} {}", text, names)
    # Translators: ends a list of customers' names, after a comma.
    more = ngettext("and %(count)d more", "and %(count)d more", rest) % {"count": rest}
    return format_html("{} {}, {}", text, names, more)


def _named(customer: Customer, url: str) -> SafeString | str:
    name = company(customer)
    return format_html('<a href="{}" class="alguna-portal-named">{}</a>', url, name) if url else name
