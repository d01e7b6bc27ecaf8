"""Redaction of texts, ids and email addresses in logs and pages, and of variables in Django's error reports."""

import re
from inspect import isfunction
from typing import TypeVar

from django.views.decorators.debug import sensitive_variables

LONGEST_TEXT = 1000

Class = TypeVar("Class", bound=type)


def redact_text(text: str) -> str:
    """Return a text as one short line without email addresses, URLs and long random words."""
    # Cut first, so that the text's author can't make this slow. A word that is cut may be half an address.
    words = "".join(c if c.isprintable() else " " for c in text[:LONGEST_TEXT]).split()
    if len(text) > LONGEST_TEXT:
        words = words[:-1]
    return " ".join(map(_redact_word, words))[:200]


def _redact_word(word: str) -> str:
    if "://" in word or ("." in word and "/" in word):
        return "[URL]"
    if "@" in word or "%40" in word:
        return "[e-mail]"
    return re.sub(r"[A-Za-z0-9_.\-]{40,}", "[…]", word)


def redact_id(customer_id: str) -> str:
    """Return an id of Alguna's in full, or a placeholder if it is an email address or a URL."""
    return "[…]" if "@" in customer_id or "://" in customer_id else customer_id


def mask_email(address: str) -> str:
    """Mask an email address: `b…@acme.example`. A text without “@” is returned unchanged."""
    name, at, host = address.rpartition("@")
    return f"{name[:1]}…@{host}" if at else address


def hide_local_variables(cls: Class) -> Class:
    """Hide the variables of a class's methods, and of all functions that they call, in Django's error reports."""
    for name, method in [*vars(cls).items()]:
        if isfunction(method):
            setattr(cls, name, sensitive_variables()(method))
    return cls
