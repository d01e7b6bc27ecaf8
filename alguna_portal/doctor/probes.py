"""Alguna asked by the doctor: it only reads, asks once, trips no breaker, and looks at the clock in passing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import ceil
from time import time
from typing import Any, Self
from urllib.parse import quote, urlencode

from alguna_portal.api.answers import JSON, Said
from alguna_portal.api.client import AlgunaClient
from alguna_portal.api.transport import Answer
from alguna_portal.bulk.rate_limiter import Pace
from alguna_portal.exceptions import AlgunaError, CustomerUnknown

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
        client.turn = Pace(RATE).turn
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

    def _call(self, method: str, path: str, body: JSON | None, *, within: float | None, key: str | None = None) -> Said:
        if method != "GET":
            raise TypeError("The doctor only reads.")
        self.turn()
        return super()._call(method, path, body, within=within, key=key)

    def _send(self, method: str, path: str, body: JSON | None, headers: dict[str, str], within: float) -> Answer:
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
