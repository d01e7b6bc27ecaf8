"""The kinds of address that a setting can have: URLs, host names, contacts. As in `setting_types`."""

import re
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator, validate_email

from .types import invalid_setting, is_visible_ascii

# --- from alguna_portal.conf.hosts


@lru_cache(maxsize=64)  # during development each click asks it twice about the same host
def is_loopback(host: str) -> bool:
    """Say whether a host name or address means the machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_listed_host(host: str, listed: Sequence[str]) -> bool:
    """Say whether a host name is on a list, where a leading dot stands for every subdomain."""
    return any(host.endswith(each) if each.startswith(".") else host == each for each in listed)


def api_url(name: str, raw: object) -> str:
    """Read the address of an API, without a slash at the end; the key travels there, so it is https."""
    return _web_address(name, raw).rstrip("/")


def site_url(name: str, raw: object) -> str:
    """Read the origin of a site, such as `https://app.example.com`."""
    address = _web_address(name, raw).rstrip("/")
    if urlsplit(address).path:
        raise invalid_setting(name, "must be the site's origin alone, such as https://app.example.com, without a path.")
    return address


def hosts(name: str, raw: object) -> list[str]:
    """Read a list of host names; a leading dot means every subdomain."""
    if not isinstance(raw, list | tuple):
        raise invalid_setting(name, "must be a list of host names, even if there is only one.")
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
    raise invalid_setting(name, "must be an e-mail address, a web address or a path such as /help/, or empty.")


def is_email_address(contact: str) -> bool:
    """Say whether a contact is an e-mail address, and not a web address or a path."""
    return "@" in contact and "/" not in contact


def _web_address(name: str, raw: object) -> str:
    """Read an https address; http passes for this very machine, and under DEBUG."""
    if not isinstance(raw, str) or not is_visible_ascii(raw):
        raise invalid_setting(name, "must be an address such as https://api.example.com, without spaces.")
    try:
        parts = urlsplit(raw)
        host, _ = parts.hostname or "", parts.port
    except ValueError as exc:
        raise invalid_setting(name, "is not a web address.") from exc
    if parts.scheme not in {"https", "http"} or not host:
        raise invalid_setting(
            name, "must be a whole address, with https:// and a host, such as https://api.example.com."
        )
    if parts.username is not None or "?" in raw or "#" in raw:
        raise invalid_setting(name, "has a user name, a query or a fragment; write the bare address.")
    if parts.scheme == "http" and not (is_loopback(host) or settings.DEBUG):
        raise invalid_setting(name, "must be https outside DEBUG, not http: secrets travel there.")
    return raw


def _host(name: str, raw: object) -> str:
    if isinstance(raw, str) and re.fullmatch(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*", raw):
        return raw
    if not isinstance(raw, str) or not is_visible_ascii(raw):
        raise invalid_setting(name, "must hold host names such as billing.example.com.")
    bare = raw.removeprefix("[").removesuffix("]").lower()
    if "://" in raw:
        bare = raw.partition("://")[2].rpartition("@")[2].partition("/")[0].partition(":")[0]
        raise invalid_setting(name, f"must hold host names, not URLs: write “{bare}”.")
    if not bare.strip(".") or any(character in bare for character in "/@*?#[]"):
        raise invalid_setting(
            name, f"holds “{raw}”, which is not a host name; a leading dot stands for every subdomain."
        )
    if ":" in bare and not is_loopback(bare):
        raise invalid_setting(name, f"holds “{raw}”; write the host without its port: every port of it is allowed.")
    return bare
