"""Alguna asked by the doctor: it only reads, asks once, trips no breaker, and looks at the clock in passing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import ceil
from socket import AI_CANONNAME, SOCK_STREAM, gaierror, getaddrinfo
from time import time
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

import requests
from requests.exceptions import SSLError
from urllib3.exceptions import HTTPError, NameResolutionError

from alguna_portal.api import transport
from alguna_portal.api.client import AlgunaClient
from alguna_portal.api.responses import JSON, ApiResponse
from alguna_portal.api.retries import USER_AGENT
from alguna_portal.api.transport import RawResponse
from alguna_portal.bulk.rate_limiter import RateLimiter
from alguna_portal.exceptions import AlgunaError, CustomerUnknown

# --- from alguna_portal.doctor.probing

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
        return transport.run_within(within, exchange)
    except (TimeoutError, requests.Timeout):
        raise Unreachable(NO_ANSWER) from None
    except SSLError:
        raise Unreachable(NO_CERTIFICATE) from None
    except (OSError, HTTPError, ValueError) as exc:
        raise Unreachable(_why(exc)) from None


def canonical_name(host: str, *, within: float) -> str:
    """Return the name that a host's own leads to in DNS, its CNAME; empty where it has none or is not found."""
    try:
        found = transport.run_within(within, lambda: getaddrinfo(host, 443, type=SOCK_STREAM, flags=AI_CANONNAME))
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


RATE = 50  # requests a second at most; Alguna's limit is 100 for the whole account
PAGE = 100  # as large as the API gives


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some of Alguna's customers: the id of each alias, and how many pages of this size there are."""

    ids: dict[str, str]
    pages: int | None


class ReadingClient(AlgunaClient):
    """A client that can change nothing. It has no watcher: the site's clicks must not meet what befalls it here."""

    turn: Callable[[], int]
    ahead: float | None = None  # how far our clock is ahead of Alguna's, in seconds

    @classmethod
    def careful(cls) -> Self:
        """Make the client that the settings describe; raise `ImproperlyConfigured` where they cannot be used."""
        client = cls.from_settings()
        client.retries = 0
        client.turn = RateLimiter(RATE).turn
        return client

    def customers(self, *, limit: int = PAGE, offset: int = 0, within: float) -> Page:
        """List some customers."""
        query = urlencode({"limit": limit, "offset": offset})
        return _page(self._call("GET", f"/customers?{query}", None, within=within).data)

    def knows(self, customer_id: str, *, within: float) -> bool:
        """Say whether there is a customer of this id, whatever its aliases."""
        try:
            self._call("GET", f"/customers/{quote(customer_id, safe='')}", None, within=within)
        except CustomerUnknown:
            return False
        return True

    def _call(
        self, method: str, path: str, body: JSON | None, *, within: float | None, key: str | None = None
    ) -> ApiResponse:
        if method != "GET":
            raise TypeError("The doctor only reads.")
        self.turn()
        return super()._call(method, path, body, within=within, key=key)

    def _send(self, method: str, path: str, body: JSON | None, headers: dict[str, str], within: float) -> RawResponse:
        before = time()
        answer = super()._send(method, path, body, headers, within)
        self.ahead = _ahead(answer.headers.get("Date", ""), (before + time()) / 2)
        return answer


@dataclass(frozen=True, kw_only=True)
class Account:
    """What came of asking for one customer, whoever it is: nothing that a key for portals should not see."""

    client: ReadingClient
    failure: AlgunaError | None
    customers: int | None = None  # how many Alguna has, where it says so

    @classmethod
    def asked(cls, *, within: float) -> "Account":
        """Ask."""
        client = ReadingClient.careful()
        try:
            first = client.customers(limit=1, within=within)
        except AlgunaError as exc:
            return cls(client=client, failure=exc)
        return cls(client=client, failure=None, customers=first.pages)

    @property
    def pages(self) -> int | None:
        """How many requests it takes to list all customers, where that is known."""
        return None if self.customers is None else ceil(self.customers / PAGE)


def _page(data: JSON) -> Page:
    """Read a page. Whatever in it cannot be read is left out: those customers are then asked for one by one."""
    ids: dict[str, str] = {}
    listed, pagination = data.get("data"), data.get("pagination")
    for each in listed if isinstance(listed, list) else []:
        ident, aliases = (each.get("id"), each.get("aliases")) if isinstance(each, dict) else (None, None)
        if isinstance(ident, str) and isinstance(aliases, list):
            ids |= {alias: ident for alias in aliases if isinstance(alias, str)}
    pages: Any = pagination.get("total_pages") if isinstance(pagination, dict) else None
    return Page(ids=ids, pages=pages if isinstance(pages, int) else None)


def _ahead(date: str, ours: float) -> float | None:
    """Compare our time with a header's, which is cut to the second; None where it is none."""
    try:
        theirs: datetime = parsedate_to_datetime(date).replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return ours - (theirs.timestamp() + 0.5)
