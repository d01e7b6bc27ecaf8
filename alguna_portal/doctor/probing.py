"""A request to somebody who is not Alguna: the host's own site, or a portal's domain. No key goes there."""

from dataclasses import dataclass
from socket import AI_CANONNAME, SOCK_STREAM, gaierror, getaddrinfo
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.exceptions import SSLError
from urllib3.exceptions import HTTPError, NameResolutionError

from alguna_portal.api import threads
from alguna_portal.api.retries import USER_AGENT

NO_CERTIFICATE = "its certificate is not valid for it"
NO_SUCH_NAME = "its name cannot be resolved"
NO_ANSWER = "it did not answer in time"


class Unreachable(Exception):
    """There was no answer; the text says why, in half a sentence."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back; `leads_to` is where a redirect leads, without its query, which may be anything."""

    status: int
    leads_to: str


def probe(method: str, url: str, *, within: float, json: object = None) -> Reply:
    """Send one request, follow no redirect, read no body; raise `Unreachable` where nothing comes of it."""

    def exchange() -> Reply:
        # Not `session.request`: it looks where a redirect leads, and fails where that is nowhere. Nor does an entry of
        # a `.netrc` go along.
        request = requests.Request(method, url, headers={"User-Agent": f"{USER_AGENT} doctor"}, json=json).prepare()
        with requests.Session() as session:
            environment: dict[str, Any] = {**session.merge_environment_settings(url, {}, True, None, None)}
            with session.get_adapter(url).send(request, timeout=within, **environment) as response:
                return Reply(status=response.status_code, leads_to=_bare(response.headers.get("Location", "")))

    try:
        return threads.within(within, exchange)
    except (TimeoutError, requests.Timeout):
        raise Unreachable(NO_ANSWER) from None
    except SSLError:
        raise Unreachable(NO_CERTIFICATE) from None
    except (OSError, HTTPError, ValueError) as exc:
        raise Unreachable(_why(exc)) from None


def canonical_name(host: str, *, within: float) -> str:
    """Return the name that a host's own leads to in DNS, its CNAME; empty where it has none or is not found."""
    try:
        found = threads.within(within, lambda: getaddrinfo(host, 443, type=SOCK_STREAM, flags=AI_CANONNAME))
    except (OSError, UnicodeError):
        return ""
    name = found[0][3].rstrip(".").lower()
    # Without a CNAME it is the host's own name, or on some systems its address.
    return "" if name == host or not any(each.isalpha() for each in name) else name


def _why(exc: BaseException) -> str:
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, gaierror | NameResolutionError):
            return NO_SUCH_NAME
        cause = cause.__context__
    return f"it cannot be reached ({type(exc).__name__})"


def _bare(location: str) -> str:
    try:
        parts = urlsplit(location)
        host = parts.hostname or ""
    except ValueError:
        return ""
    return f"{f'{parts.scheme}://{host}' if host else ''}{parts.path}"
