"""The kinds of value a setting can have: each function reads one raw value or says what is wrong with it.

Every function takes the setting's full name and the raw value, and raises `ImproperlyConfigured` with a
text that names the setting and the remedy. No text shows a value that may be secret.
"""

import binascii
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables

from alguna_portal.portal_settings import InvalidPortalSettings, PortalSettings

# --- from alguna_portal.conf.secrets


@sensitive_variables()
def secret(name: str, raw: object) -> str:
    """Read a secret that goes into an HTTP header: visible ASCII only."""
    if not isinstance(raw, str) or not is_visible_ascii(raw):
        raise invalid_setting(name, "must be a secret of visible ASCII characters, without spaces or line breaks.")
    return raw


@sensitive_variables()
def signing_secrets(name: str, raw: object) -> list[str]:
    """Read a list of secrets as Svix and Standard Webhooks write them: `whsec_` and base64."""
    if not isinstance(raw, list | tuple):
        raise invalid_setting(name, "must be a list of secrets, even if there is only one.")
    return [_signing_secret(name, each) for each in raw]


@sensitive_variables()
def _signing_secret(name: str, raw: object) -> str:
    text = secret(name, raw)
    encoded = text.removeprefix("whsec_")
    try:
        key = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise invalid_setting(
            name, "has a secret that is none. Copy the endpoint's signing secret whole: whsec_ and base64."
        )
    return text


LONGEST = timedelta(days=3650).total_seconds()
MOST = 1_000_000


def invalid_setting(name: str, problem: str) -> ImproperlyConfigured:
    """Make the one error that every wrong setting raises."""
    return ImproperlyConfigured(f"{name} {problem}")


def boolean(name: str, raw: object) -> bool:
    """Read True or False; a string such as "False" from the environment is refused, being true."""
    if not isinstance(raw, bool):
        raise invalid_setting(name, f"must be True or False, not {_kind(raw)}.")
    return raw


def whole_number(name: str, raw: object) -> int:
    """Read a whole number from zero up."""
    if not isinstance(raw, int) or isinstance(raw, bool) or raw < 0:
        raise invalid_setting(name, f"must be a whole number, zero or more, not {_kind(raw)}.")
    if raw > MOST:
        raise invalid_setting(name, f"must be {MOST} at most, not {raw}.")
    return raw


def limit(name: str, raw: object) -> int | None:
    """Read a whole number from one up, or None for no limit."""
    if raw is None:
        return None
    if raw == 0 or isinstance(raw, str):
        raise invalid_setting(name, f"must be a whole number, one or more, or None for no limit, not {_kind(raw)}.")
    return whole_number(name, raw)


def use_of(*modules: str) -> Callable[[str, object], bool]:
    """Read True or False, and refuse True where none of these modules can be imported."""

    def read(name: str, raw: object) -> bool:
        if boolean(name, raw) and not any(_is_installed(module) for module in modules):
            raise invalid_setting(name, f"needs {' or '.join(modules)}, and neither can be imported.")
        return raw is True

    return read


def use_of_extra(extra: str, module: str) -> Callable[[str, object], bool]:
    """Read True or False, and refuse True where the module that one of our extras brings cannot be imported."""

    def read(name: str, raw: object) -> bool:
        if boolean(name, raw) and not _is_installed(module):
            raise invalid_setting(
                name, f'needs {module}, which is not installed: pip install "alguna_portal[{extra}]".'
            )
        return raw is True

    return read


def seconds(name: str, raw: object) -> float:
    """Read a length of time above zero: a number of seconds, or a `timedelta`."""
    length = raw.total_seconds() if isinstance(raw, timedelta) else raw
    if not isinstance(length, int | float) or isinstance(length, bool) or not 0 < length <= LONGEST:
        raise invalid_setting(name, f"must be a number of seconds, more than zero, not {_kind(raw)}.")
    return length


def margin(name: str, raw: object) -> float:
    """Read a length of time that may be zero, in seconds."""
    return 0 if raw in (0, timedelta(0)) and not isinstance(raw, bool) else seconds(name, raw)


def duration(name: str, raw: object) -> timedelta:
    """Read a length of time above zero as a `timedelta`."""
    return timedelta(seconds=seconds(name, raw))


def timeout(name: str, raw: object) -> tuple[float, float]:
    """Read a pair (connect, read) in seconds; one number stands for both."""
    pair = tuple(raw) if isinstance(raw, list | tuple) else (raw, raw)
    if len(pair) != 2:
        raise invalid_setting(name, "must be a pair of seconds: (connect, read).")
    return seconds(name, pair[0]), seconds(name, pair[1])


def one_of(*known: str) -> Callable[[str, object], str]:
    """Read one of these words."""

    def read(name: str, raw: object) -> str:
        if raw not in known:
            shown = f", not “{raw}”" if isinstance(raw, str) else ""
            raise invalid_setting(name, f"must be one of {_quoted(known)}{shown}.{_nearest(raw, known)}")
        return str(raw)

    return read


def cache_alias(name: str, raw: object) -> str:
    """Read the name of one of the caches in `CACHES`."""
    return one_of(*settings.CACHES)(name, raw)


def hook(name: str, raw: object) -> Callable[..., Any]:
    """Read the dotted path of a callable, or the callable."""
    target = raw
    if isinstance(raw, str):
        try:
            target = import_string(raw)
        except ImportError as exc:
            raise invalid_setting(name, f"names “{raw}”, which cannot be imported: {exc}.") from exc
    if not callable(target):
        raise invalid_setting(name, "must be the dotted path of a callable.")
    return target


def portal_settings(name: str, raw: object) -> PortalSettings:
    """Read portal settings in the API's own keys."""
    try:
        return PortalSettings.parse(raw)
    except InvalidPortalSettings as exc:
        raise invalid_setting(name, f"is not right. {exc}") from exc


def plans(read: Callable[[str, object], PortalSettings]) -> Callable[[str, object], dict[str, PortalSettings]]:
    """Read a mapping from plan name to portal settings, each of them by a function like `portal_settings`."""

    def read_all(name: str, raw: object) -> dict[str, PortalSettings]:
        mapping = mapping_to("portal settings")(name, raw)
        return {plan: read(f"{name}[{plan!r}]", each) for plan, each in mapping.items()}

    return read_all


def mapping_to(what: str) -> Callable[[str, object], Mapping[str, Any]]:
    """Read a mapping whose keys are non-empty strings, its values as they are."""

    def read(name: str, raw: object) -> Mapping[str, Any]:
        if not isinstance(raw, Mapping):
            raise invalid_setting(name, f"must be a mapping from a name to {what}.")
        if not all(isinstance(key, str) and key for key in raw):
            raise invalid_setting(name, "has a key that is empty or not a string.")
        return raw

    return read


def plan_ids(known: Mapping[str, object]) -> Callable[[str, object], dict[str, str]]:
    """Read a mapping from Alguna's plan ids to the plans known here."""

    def read(name: str, raw: object) -> dict[str, str]:
        mapping = mapping_to("a plan in ALGUNA_PORTAL_PLANS")(name, raw)
        if mapping and not known:
            raise invalid_setting(name, "names plans, but there are none in ALGUNA_PORTAL_PLANS.")
        return {plan_id: one_of(*known)(f"{name}[{plan_id!r}]", plan) for plan_id, plan in mapping.items()}

    return read


def is_visible_ascii(text: str) -> bool:
    """Say whether a text can stand in a header or a URL: visible ASCII, and not empty."""
    return text != "" and text.isascii() and text.isprintable() and " " not in text


def _nearest(raw: object, known: tuple[str, ...]) -> str:
    match = get_close_matches(str(raw), known, n=1)
    return f" Did you mean “{match[0]}”?" if match else ""


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f"“{word}”" for word in words)


def _is_installed(module: str) -> bool:
    return find_spec(module) is not None


def _kind(raw: object) -> str:
    """Show a value that cannot be a secret, or else its type."""
    return str(raw) if isinstance(raw, bool | int | float) else f"a value of type {type(raw).__name__}"
