"""Base of the API client: one call with its headers, idempotency key, retries and total time limit."""

import logging
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Self

import requests
from django.conf import settings
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_random_exponential

from alguna_portal import __version__
from alguna_portal.conf import conf
from alguna_portal.exceptions import AlgunaError, AlgunaUnavailable
from alguna_portal.log_events import log_event
from alguna_portal.portal_settings import LEGACY_API_VERSION
from alguna_portal.redaction import hide_local_variables

from . import legacy
from .responses import JSON, ApiResponse, is_replay, parse_response
from .transport import RawResponse, send_request

if TYPE_CHECKING:
    from .circuit_breaker import CircuitBreaker

logger = logging.getLogger(__name__)

pause = sleep  # between attempts; `testing` replaces it

CUSTOMERS_API_VERSION = "2026-04-01"  # for customers and subscriptions, which the legacy API doesn't have
USER_AGENT = f"alguna_portal/{__version__}"
# Full jitter: from zero to a bound in seconds that doubles with each attempt.
BACKOFF = wait_random_exponential(multiplier=0.25, max=4)


@hide_local_variables
class BaseClient:
    """The account, address and limits of a client, read from the settings when it is created.

    Raise `ImproperlyConfigured` if a setting is missing or invalid. Subclasses add the endpoints.
    """

    def __init__(self, *, circuit_breaker: "CircuitBreaker | None" = None) -> None:
        self.api_url = conf.API_URL
        self.api_version = conf.API_VERSION
        self.timeout = conf.TIMEOUT
        self.time_budget = conf.TIME_BUDGET
        self.retries = conf.RETRIES
        self.session_seconds = conf.SESSION_SECONDS
        self.url_hosts = conf.URL_HOSTS
        self.loopback_http = settings.DEBUG
        self._circuit_breaker = circuit_breaker
        self._auth = _BearerAuth(conf.API_KEY)

    @classmethod
    def from_settings(cls, *, circuit_breaker: "CircuitBreaker | None" = None) -> Self:
        """Create a client for the account in the settings; raise `ImproperlyConfigured` if one of them is invalid."""
        return cls(circuit_breaker=circuit_breaker)

    def _call(
        self, method: str, path: str, body: JSON | None, *, within: float | None, key: str | None = None
    ) -> ApiResponse:
        """Send a request, with retries after temporary failures under the same idempotency key `key`."""
        budget = self.time_budget if within is None else min(within, self.time_budget)
        if budget <= 0:
            raise AlgunaUnavailable("There was no time left to ask Alguna. Try again later.")
        deadline = monotonic() + budget
        headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
        if key is not None:
            headers["Idempotency-Key"] = key
        if path != legacy.PATH:
            legacy_sessions = self.api_version == LEGACY_API_VERSION
            headers["Alguna-Version"] = CUSTOMERS_API_VERSION if legacy_sessions else self.api_version
        retrying = Retrying(
            retry=retry_if_exception_type(AlgunaUnavailable),
            wait=_get_wait,
            # If a wait would exceed the budget, the call fails at once.
            stop=stop_after_attempt(self.retries + 1) | stop_before_delay(budget),
            before_sleep=_log_retry,
            sleep=lambda seconds: pause(seconds),
            reraise=True,
        )
        if self._circuit_breaker:
            self._circuit_breaker.before_call()
        failure: BaseException | None = None
        try:
            return retrying(lambda: self._attempt(method, path, body, headers, deadline - monotonic()))
        except BaseException as exc:
            failure = exc
            raise
        finally:
            if self._circuit_breaker:
                self._circuit_breaker.after_call(failure)

    def _attempt(
        self, method: str, path: str, body: JSON | None, headers: dict[str, str], within: float
    ) -> ApiResponse:
        """Send one request and parse the response."""
        response = self._send(method, path, body, headers, within)
        replayed = is_replay(response.headers)
        try:
            data = parse_response(response.status, response.headers, response.body, redact=self._auth.redact)
        except AlgunaError as exc:
            exc.replayed = replayed
            raise
        return ApiResponse(data=data, replayed=replayed)

    def _send(self, method: str, path: str, body: JSON | None, headers: dict[str, str], within: float) -> RawResponse:
        return send_request(
            method,
            self.api_url + path,
            json=body,
            headers=headers,
            auth=self._auth,
            timeout=self.timeout,
            within=within,
        )


class _BearerAuth(requests.auth.AuthBase):
    """The API key, as `auth` because a `.netrc` entry replaces a header. `repr` doesn't show it."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request

    def redact(self, text: str) -> str:
        """Remove the key, or its secret half alone, from a text."""
        for part in (self._api_key, self._api_key.rpartition(".")[2]):
            text = text.replace(part, "[key]") if part else text
        return text


def _get_wait(state: RetryCallState) -> float:
    """Return the seconds until the next attempt: Alguna's `Retry-After`, or else the back-off."""
    wait: Any = getattr(state.outcome and state.outcome.exception(), "retry_after", None)
    return BACKOFF(state) if wait is None else wait


def _log_retry(state: RetryCallState) -> None:
    failure: Any = state.outcome and state.outcome.exception()
    log_event(
        logger.warning,
        "call_repeated",
        "Attempt %(attempt)s failed and is repeated in %(seconds).1f s. %(detail)s",
        exc=failure,
        detail=failure,
        attempt=state.attempt_number,
        status=getattr(failure, "status", None),
        seconds=state.upcoming_sleep,
    )
