"""What is told of an action: in time, and no more than can be kept until the next page."""

from collections.abc import Iterable

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import ngettext, pgettext

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
