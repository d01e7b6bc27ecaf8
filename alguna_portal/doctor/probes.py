"""Requests of the doctor: HTTP probes of any host, and a read-only client for the Alguna API."""

from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from socket import gaierror
from time import time
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import requests
from requests.exceptions import SSLError
from urllib3.exceptions import HTTPError, NameResolutionError

from alguna_portal.api import transport
from alguna_portal.api.client import AlgunaClient
from alguna_portal.api.responses import JSON, ApiResponse
from alguna_portal.api.retries import USER_AGENT
from alguna_portal.api.transport import RawResponse
from alguna_portal.bulk.rate_limiter import RateLimiter

NO_CERTIFICATE = "its certificate is not valid for it"
NO_SUCH_NAME = "its name cannot be resolved"
RATE = 50  # requests per second; Alguna allows 100 for the whole account


class Unreachable(Exception):
    """A host did not respond; the text is the reason, as a clause without a full stop."""


class ProbeResponse(NamedTuple):
    """The response of a host. `location` is a redirect's target without the query, which may contain secrets."""

    status: int
    location: str


def send_probe(method: str, url: str, *, within: float, json: object = None) -> ProbeResponse:
    """Send one request, without following redirects; raise `Unreachable` if there is no response `within` seconds."""

    def send() -> ProbeResponse:
        # `session.request` would fail if a redirect's target is invalid, and send credentials of a `.netrc`.
        request = requests.Request(method, url, headers={"User-Agent": f"{USER_AGENT} doctor"}, json=json).prepare()
        with requests.Session() as session:
            environment: dict[str, Any] = {**session.merge_environment_settings(url, {}, True, None, None)}
            with session.get_adapter(url).send(request, timeout=within, **environment) as response:
                location = _remove_query(response.headers.get("Location", ""))
                return ProbeResponse(status=response.status_code, location=location)

    try:
        return transport.run_within(within, send)
    except (TimeoutError, requests.Timeout):
        raise Unreachable("it did not answer in time") from None
    except SSLError:
        raise Unreachable(NO_CERTIFICATE) from None
    except (OSError, HTTPError, ValueError) as exc:
        raise Unreachable(_get_reason(exc)) from None


def _get_reason(exc: BaseException) -> str:
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, gaierror | NameResolutionError):
            return NO_SUCH_NAME
        cause = cause.__context__
    return f"it cannot be reached ({type(exc).__name__})"


def _remove_query(location: str) -> str:
    try:
        parts = urlsplit(location)
        host = parts.hostname or ""
    except ValueError:
        return ""
    return f"{f'{parts.scheme}://{host}' if host else ''}{parts.path}"


class ReadOnlyClient(AlgunaClient):
    """An API client that can only read. It has no circuit breaker, since its failures must not affect the site's."""

    rate_limiter: RateLimiter
    clock_offset: float | None = None  # seconds that our clock is ahead of Alguna's, by the latest response

    @classmethod
    def create(cls) -> Self:
        """Return a client without retries; raise `ImproperlyConfigured` if the settings can't be used."""
        client = cls.from_settings()
        client.retries = 0
        client.rate_limiter = RateLimiter(RATE)
        return client

    def list_one_customer(self, *, within: float) -> None:
        """Send the cheapest request that needs a valid key; raise an `AlgunaError` if it fails."""
        self._call("GET", "/customers?limit=1&offset=0", None, within=within)

    def has_customer(self, customer_id: str, *, within: float) -> bool:
        """Return whether a customer has this id, whatever its aliases."""
        return self._get_customer(customer_id, within=within) is not None

    def _call(
        self, method: str, path: str, body: JSON | None, *, within: float | None, key: str | None = None
    ) -> ApiResponse:
        if method != "GET":
            raise TypeError("The doctor only reads.")
        self.rate_limiter.turn()
        return super()._call(method, path, body, within=within, key=key)

    def _send(self, method: str, path: str, body: JSON | None, headers: dict[str, str], within: float) -> RawResponse:
        before = time()
        response = super()._send(method, path, body, headers, within)
        now, self.clock_offset = (before + time()) / 2, None
        with suppress(ValueError, OverflowError):
            date = parsedate_to_datetime(response.headers.get("Date", "")).replace(tzinfo=UTC)
            # The header has no fractions of a second.
            self.clock_offset = now - (date.timestamp() + 0.5)
        return response
