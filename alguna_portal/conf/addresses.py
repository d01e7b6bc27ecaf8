"""URLs, host names and contacts in settings: parsers like those in `types`, and checks of host names."""

import re
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator, validate_email

from .types import invalid_setting, is_visible_ascii


def parse_url(name: str, raw: object) -> str:
    """Parse an https URL; return it without a slash at the end. Accept http for a loopback host and with DEBUG."""
    if not isinstance(raw, str) or not is_visible_ascii(raw):
        raise invalid_setting(name, "must be an address such as https://api.example.com, without spaces.")
    try:
        parts = urlsplit(raw)
        host, _ = parts.hostname or "", parts.port
    except ValueError as exc:
        raise invalid_setting(name, "is not a web address.") from exc
    if parts.scheme not in {"https", "http"} or not host:
        problem = "must be a whole address, with https:// and a host, such as https://api.example.com."
        raise invalid_setting(name, problem)
    if parts.username is not None or "?" in raw or "#" in raw:
        raise invalid_setting(name, "has a user name, a query or a fragment; write the bare address.")
    if parts.scheme == "http" and not (is_loopback(host) or settings.DEBUG):
        raise invalid_setting(name, "must be https outside DEBUG, not http: secrets travel there.")
    return raw.rstrip("/")


def parse_site_url(name: str, raw: object) -> str:
    """Parse the origin of a site, such as `https://app.example.com`."""
    url = parse_url(name, raw)
    if urlsplit(url).path:
        raise invalid_setting(name, "must be the site's origin alone, such as https://app.example.com, without a path.")
    return url


def parse_hosts(name: str, raw: object) -> list[str]:
    """Parse a list of host names; a leading dot stands for every subdomain."""
    if not isinstance(raw, list | tuple):
        raise invalid_setting(name, "must be a list of host names, even if there is only one.")
    return [_parse_host(name, host) for host in raw]


def parse_contact(name: str, raw: object) -> str:
    """Parse an email address, a URL, a path on the site such as `/help/`, or an empty string."""
    if raw == "" or (isinstance(raw, str) and re.fullmatch(r"/([^/\s\\]\S*)?", raw)):
        return raw
    if isinstance(raw, str):
        for validate in (validate_email, URLValidator(schemes=["https", "http"])):
            with suppress(ValidationError):
                validate(raw)
                return raw
    raise invalid_setting(name, "must be an e-mail address, a web address or a path such as /help/, or empty.")


@lru_cache(maxsize=64)  # during development, each click checks the same host twice
def is_loopback(host: str) -> bool:
    """Return whether a host name or IP address is the machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_email_address(contact: str) -> bool:
    """Return whether a contact is an email address, and not a URL or a path."""
    return "@" in contact and "/" not in contact


def _parse_host(name: str, raw: object) -> str:
    if isinstance(raw, str) and re.fullmatch(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*", raw):
        return raw
    if not isinstance(raw, str) or not is_visible_ascii(raw):
        raise invalid_setting(name, "must hold host names such as billing.example.com.")
    bare = raw.removeprefix("[").removesuffix("]").lower()
    if "://" in raw:
        bare = raw.partition("://")[2].rpartition("@")[2].partition("/")[0].partition(":")[0]
        raise invalid_setting(name, f"must hold host names, not URLs: write “{bare}”.")
    if not bare.strip(".") or any(character in bare for character in "/@*?#[]"):
        problem = f"holds “{raw}”, which is not a host name; a leading dot stands for every subdomain."
        raise invalid_setting(name, problem)
    if ":" in bare and not is_loopback(bare):
        raise invalid_setting(name, f"holds “{raw}”; write the host without its port: every port of it is allowed.")
    return bare
