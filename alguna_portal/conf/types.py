"""Parsers for the values of settings.

Each function takes the setting's full name and its raw value. It returns a value of its type or raises
`ImproperlyConfigured` with a text that names the setting and the remedy. No text contains a value that may be secret.
"""

import binascii
from base64 import b64decode
from datetime import timedelta
from difflib import get_close_matches
from importlib.util import find_spec

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.views.decorators.debug import sensitive_variables

LONGEST = timedelta(days=3650).total_seconds()
LARGEST = 1_000_000


def invalid_setting(name: str, problem: str) -> ImproperlyConfigured:
    """Return the exception for an invalid setting."""
    return ImproperlyConfigured(f"{name} {problem}")


def parse_bool(name: str, raw: object) -> bool:
    """Parse True or False. A string such as "False" from the environment would be true, so it is rejected."""
    if not isinstance(raw, bool):
        raise invalid_setting(name, f"must be True or False, not {_describe(raw)}.")
    return raw


def parse_encryption(name: str, raw: object) -> bool:
    """Parse True or False; reject True if the package of the extra `encryption` isn't installed."""
    if parse_bool(name, raw) and not find_spec("cryptography"):
        problem = 'needs cryptography, which is not installed: pip install "alguna_portal[encryption]".'
        raise invalid_setting(name, problem)
    return raw is True


def parse_use_tasks(name: str, raw: object) -> bool:
    """Parse True or False; reject True if there is no tasks framework."""
    if parse_bool(name, raw) and not (find_spec("django.tasks") or find_spec("django_tasks")):
        raise invalid_setting(name, "needs django.tasks or django_tasks, and neither can be imported.")
    return raw is True


def parse_whole_number(name: str, raw: object) -> int:
    """Parse a whole number, zero or more."""
    if not isinstance(raw, int) or isinstance(raw, bool) or raw < 0:
        raise invalid_setting(name, f"must be a whole number, zero or more, not {_describe(raw)}.")
    if raw > LARGEST:
        raise invalid_setting(name, f"must be {LARGEST} at most, not {raw}.")
    return raw


def parse_limit(name: str, raw: object) -> int | None:
    """Parse a whole number, one or more, or None for no limit."""
    if raw is None:
        return None
    if raw == 0 or isinstance(raw, str):
        raise invalid_setting(name, f"must be a whole number, one or more, or None for no limit, not {_describe(raw)}.")
    return parse_whole_number(name, raw)


def parse_seconds(name: str, raw: object) -> float:
    """Parse a duration greater than zero, a number of seconds or a `timedelta`; return seconds."""
    length = raw.total_seconds() if isinstance(raw, timedelta) else raw
    if not isinstance(length, int | float) or isinstance(length, bool) or not 0 < length <= LONGEST:
        raise invalid_setting(name, f"must be a number of seconds, more than zero, not {_describe(raw)}.")
    return length


def parse_margin(name: str, raw: object) -> float:
    """Parse a duration that may be zero; return seconds."""
    return 0 if raw in (0, timedelta(0)) and not isinstance(raw, bool) else parse_seconds(name, raw)


def parse_duration(name: str, raw: object) -> timedelta:
    """Parse a duration greater than zero; return a `timedelta`."""
    return timedelta(seconds=parse_seconds(name, raw))


def parse_timeout(name: str, raw: object) -> tuple[float, float]:
    """Parse a pair (connect, read) in seconds, or one number for both."""
    pair = tuple(raw) if isinstance(raw, list | tuple) else (raw, raw)
    if len(pair) != 2:
        raise invalid_setting(name, "must be a pair of seconds: (connect, read).")
    return parse_seconds(name, pair[0]), parse_seconds(name, pair[1])


def parse_choice(name: str, raw: object, *, choices: tuple[str, ...]) -> str:
    """Parse one of the choices."""
    if raw not in choices:
        expected = ", ".join(f"“{choice}”" for choice in choices)
        shown = f", not “{raw}”" if isinstance(raw, str) else ""
        match = get_close_matches(str(raw), choices, n=1)
        hint = f" Did you mean “{match[0]}”?" if match else ""
        raise invalid_setting(name, f"must be one of {expected}{shown}.{hint}")
    return str(raw)


def parse_cache_alias(name: str, raw: object) -> str:
    """Parse the alias of one of the caches in `CACHES`."""
    return parse_choice(name, raw, choices=tuple(settings.CACHES))


@sensitive_variables()
def parse_secret(name: str, raw: object) -> str:
    """Parse a secret for an HTTP header: visible ASCII only."""
    if not isinstance(raw, str) or not is_visible_ascii(raw):
        raise invalid_setting(name, "must be a secret of visible ASCII characters, without spaces or line breaks.")
    return raw


@sensitive_variables()
def parse_signing_secrets(name: str, raw: object) -> list[str]:
    """Parse a list of signing secrets in the format of Svix and Standard Webhooks: `whsec_` and base64."""
    if not isinstance(raw, list | tuple):
        raise invalid_setting(name, "must be a list of secrets, even if there is only one.")
    return [_parse_signing_secret(name, secret) for secret in raw]


@sensitive_variables()
def _parse_signing_secret(name: str, raw: object) -> str:
    text = parse_secret(name, raw)
    encoded = text.removeprefix("whsec_")
    try:
        key = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        problem = "has a secret that is none. Copy the endpoint's signing secret whole: whsec_ and base64."
        raise invalid_setting(name, problem)
    return text


def is_visible_ascii(text: str) -> bool:
    """Return whether a text isn't empty and fits in a header or a URL."""
    return text != "" and text.isascii() and text.isprintable() and " " not in text


def _describe(raw: object) -> str:
    """Return a number or boolean as it is, and the type of any other value, which may be a secret."""
    return str(raw) if isinstance(raw, bool | int | float) else f"a value of type {type(raw).__name__}"
