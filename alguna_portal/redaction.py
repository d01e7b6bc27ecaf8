"""Foreign texts as they may stand in logs, exceptions and pages: short, and without what is nobody's business. Pure."""

import re
from inspect import isfunction
from typing import TypeVar

from django.views.decorators.debug import sensitive_variables

# --- from alguna_portal.reports

Class = TypeVar("Class", bound=type)


def hide_local_variables(cls: Class) -> Class:
    """Keep the variables of a class's methods, and of all that these call, out of Django's error reports."""
    for name, method in [*vars(cls).items()]:
        if isfunction(method):
            setattr(cls, name, sensitive_variables()(method))
    return cls


LONGEST_QUOTED = 1000


def redact_text(text: str) -> str:
    """Make a foreign text fit for a log: one short line, without addresses, URLs and long random words."""
    # Cut first: how long this takes is not for whoever wrote the text to say. A word cut in two may be half an address.
    words = "".join(c if c.isprintable() else " " for c in text[:LONGEST_QUOTED]).split()
    if len(text) > LONGEST_QUOTED:
        words = words[:-1]
    return " ".join(map(_quotable_word, words))[:200]


def _quotable_word(word: str) -> str:
    if "://" in word or ("." in word and "/" in word):
        return "[URL]"
    if "@" in word or "%40" in word:
        return "[e-mail]"
    return re.sub(r"[A-Za-z0-9_.\-]{40,}", "[…]", word)


def redact_id(customer_id: str) -> str:
    """Show an id of Alguna's, however long; it was looked at when it came. One that is an address stays hidden."""
    return "[…]" if "@" in customer_id or "://" in customer_id else customer_id
