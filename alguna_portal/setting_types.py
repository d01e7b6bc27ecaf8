"""The kinds of value a setting can have: each function reads one raw value or says what is wrong with it.

Every function takes the setting's full name and the raw value, and raises `ImproperlyConfigured` with a
text that names the setting and the remedy. No text shows a value that may be secret.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import URLValidator, validate_email
from django.utils.module_loading import import_string

from .hosts import is_loopback
from .portal_settings import InvalidPortalSettings, PortalSettings

LONGEST = timedelta(days=3650).total_seconds()


def wrong(name: str, problem: str) -> ImproperlyConfigured:
    """Make the one error that every wrong setting raises."""
    return ImproperlyConfigured(f"{name} {problem}")


def boolean(name: str, raw: object) -> bool:
    """Read True or False; a string such as "False" from the environment is refused, being true."""
    if not isinstance(raw, bool):
        raise wrong(name, f"must be True or False, not {_kind(raw)}.")
    return raw


def whole_number(name: str, raw: object) -> int:
    """Read a whole number from zero up."""
    if not isinstance(raw, int) or isinstance(raw, bool) or not 0 <= raw <= LONGEST:
        raise wrong(name, f"must be a whole number, zero or more, not {_kind(raw)}.")
    return raw


def seconds(name: str, raw: object) -> float:
    """Read a length of time above zero: a number of seconds, or a `timedelta`."""
    length = raw.total_seconds() if isinstance(raw, timedelta) else raw
    if not isinstance(length, int | float) or isinstance(length, bool) or not 0 < length <= LONGEST:
        raise wrong(name, f"must be a number of seconds, more than zero, not {_kind(raw)}.")
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
        raise wrong(name, "must be a pair of seconds: (connect, read).")
    return seconds(name, pair[0]), seconds(name, pair[1])


def one_of(*known: str) -> Callable[[str, object], str]:
    """Read one of these words."""

    def read(name: str, raw: object) -> str:
        if raw not in known:
            shown = f", not “{raw}”" if isinstance(raw, str) else ""
            raise wrong(name, f"must be one of {_quoted(known)}{shown}.{_nearest(raw, known)}")
        return str(raw)

    return read


def secret(name: str, raw: object) -> str:
    """Read a secret that goes into an HTTP header: visible ASCII only, and never shown."""
    if not isinstance(raw, str) or not _visible_ascii(raw):
        raise wrong(name, "must be a secret of visible ASCII characters, without spaces or line breaks.")
    return raw


def secrets(name: str, raw: object) -> list[str]:
    """Read a list of secrets."""
    if not isinstance(raw, list | tuple):
        raise wrong(name, "must be a list of secrets, even if there is only one.")
    return [secret(name, each) for each in raw]


def api_url(name: str, raw: object) -> str:
    """Read the address of an API, without a slash at the end; the key travels there, so it is https."""
    return _web_address(name, raw).rstrip("/")


def site_url(name: str, raw: object) -> str:
    """Read the origin of a site, such as `https://app.example.com`."""
    address = _web_address(name, raw).rstrip("/")
    if urlsplit(address).path:
        raise wrong(name, "must be the site's origin alone, such as https://app.example.com, without a path.")
    return address


def hosts(name: str, raw: object) -> list[str]:
    """Read a list of host names; a leading dot means every subdomain."""
    if not isinstance(raw, list | tuple):
        raise wrong(name, "must be a list of host names, even if there is only one.")
    return [_host(name, each) for each in raw]


def contact(name: str, raw: object) -> str:
    """Read an e-mail address, a web address, a path on the site such as `/help/`, or nothing."""
    if raw == "" or (isinstance(raw, str) and re.fullmatch(r"/([^/\s\\]\S*)?", raw)):
        return raw
    if isinstance(raw, str):
        for validate in (validate_email, URLValidator(schemes=["https", "http"])):
            with suppress(ValidationError):
                validate(raw)
                return raw
    raise wrong(name, "must be an e-mail address, a web address or a path such as /help/, or empty.")


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
            raise wrong(name, f"names “{raw}”, which cannot be imported: {exc}.") from exc
    if not callable(target):
        raise wrong(name, "must be the dotted path of a callable.")
    return target


def portal_settings(name: str, raw: object) -> PortalSettings:
    """Read portal settings in the API's own keys."""
    try:
        return PortalSettings.parse(raw)
    except InvalidPortalSettings as exc:
        raise wrong(name, f"is not right. {exc}") from exc


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
            raise wrong(name, f"must be a mapping from a name to {what}.")
        if not all(isinstance(key, str) and key for key in raw):
            raise wrong(name, "has a key that is empty or not a string.")
        return raw

    return read


def plan_ids(known: Mapping[str, object]) -> Callable[[str, object], dict[str, str]]:
    """Read a mapping from Alguna's plan ids to the plans known here."""

    def read(name: str, raw: object) -> dict[str, str]:
        mapping = mapping_to("a plan in ALGUNA_PORTAL_PLANS")(name, raw)
        return {plan_id: one_of(*known)(f"{name}[{plan_id!r}]", plan) for plan_id, plan in mapping.items()}

    return read


def _web_address(name: str, raw: object) -> str:
    """Read an https address; http passes for this very machine, and under DEBUG."""
    if not isinstance(raw, str) or not _visible_ascii(raw):
        raise wrong(name, "must be an address such as https://api.example.com, without spaces.")
    try:
        parts = urlsplit(raw)
        host, _ = parts.hostname or "", parts.port
    except ValueError as exc:
        raise wrong(name, "is not a web address.") from exc
    if parts.scheme not in {"https", "http"} or not host:
        raise wrong(name, "must be a whole address, with https:// and a host, such as https://api.example.com.")
    if parts.username is not None or parts.query or parts.fragment:
        raise wrong(name, "has a user name, a query or a fragment; write the bare address.")
    if parts.scheme == "http" and not (is_loopback(host) or settings.DEBUG):
        raise wrong(name, "must be https outside DEBUG, not http: secrets travel there.")
    return raw


def _host(name: str, raw: object) -> str:
    if isinstance(raw, str) and re.fullmatch(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*", raw):
        return raw
    if not isinstance(raw, str) or not _visible_ascii(raw):
        raise wrong(name, "must hold host names such as billing.example.com.")
    bare = raw.removeprefix("[").removesuffix("]").lower()
    if "://" in raw:
        bare = raw.partition("://")[2].rpartition("@")[2].partition("/")[0].partition(":")[0]
        raise wrong(name, f"must hold host names, not URLs: write “{bare}”.")
    if not bare.strip(".") or any(character in bare for character in "/@*?#[]"):
        raise wrong(name, f"holds “{raw}”, which is not a host name; a leading dot stands for every subdomain.")
    if ":" in bare and not is_loopback(bare):
        raise wrong(name, f"holds “{raw}”; write the host without its port: every port of it is allowed.")
    return bare


def _visible_ascii(text: str) -> bool:
    return text != "" and text.isascii() and text.isprintable() and " " not in text


def _nearest(raw: object, known: tuple[str, ...]) -> str:
    match = get_close_matches(str(raw), known, n=1)
    return f" Did you mean “{match[0]}”?" if match else ""


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f"“{word}”" for word in words)


def _kind(raw: object) -> str:
    """Show a value that cannot be a secret, or else its type."""
    return str(raw) if isinstance(raw, bool | int | float) else f"a value of type {type(raw).__name__}"
