"""Secrets taken out of whatever the doctor says: the last line, behind texts that hold none to begin with."""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings

# Django's KEY_PREFIX, of caches and of their middleware, is an ordinary word.
SECRET = re.compile(r"KEY(?!_PREFIX$)|SECRET|PASS|TOKEN|SIGNATURE|CREDENTIAL|DSN", re.IGNORECASE)
SHORTEST = 4
# Shorter ones that are plain words, such as “secret” or “portal”, are words of ours, too.
SHORTEST_WORD = 8
HIDDEN = "[secret]"


def redaction() -> Callable[[str], str]:
    """Make a function that takes every secret in the settings of now out of a text."""
    found = {form for secret in _secrets() for form in _forms(secret)}
    secrets = sorted((each for each in found if _counts(each)), key=len, reverse=True)

    def redact(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, HIDDEN)
        return text

    return redact


def _counts(secret: str) -> bool:
    return len(secret) >= (SHORTEST_WORD if secret.isalpha() else SHORTEST)


def _forms(secret: str) -> Iterator[str]:
    yield from (secret, quote(secret, safe=""), repr(secret)[1:-1], secret.removeprefix("whsec_"))
    # An API key is `<key_id>.<key_secret>`.
    yield secret.rpartition(".")[2]


def _secrets() -> Iterator[str]:
    for name in filter(str.isupper, dir(settings)):
        # Django refuses to read some: an empty SECRET_KEY, and from 6.1 on old names beside new ones. Of those that it
        # deprecates, whoever set them has been told.
        with suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield from _within(getattr(settings, name), secret=_is_secret(name))


def _within(value: Any, *, secret: bool) -> Iterator[str]:
    """Find the strings below a secret name, and the passwords in URLs anywhere."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _within(each, secret=secret or _is_secret(str(name)))
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _within(each, secret=secret)
    elif isinstance(value, bytes):
        yield from _within(value.decode(errors="replace"), secret=secret)
    elif isinstance(value, str):
        if secret:
            yield value
        yield from _passwords(value)


def _is_secret(name: str) -> bool:
    return SECRET.search(name) is not None


def _passwords(text: str) -> Iterator[str]:
    """Find the password of a URL such as `redis://user:password@host`, as it is written and as it is meant."""
    for part in text.split(",") if "://" in text else ():
        try:
            password = urlsplit(part.strip()).password
        except ValueError:
            continue
        if password:
            yield from (password, unquote(password))
