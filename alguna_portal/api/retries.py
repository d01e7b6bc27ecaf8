"""How Alguna is called: with which key and headers, how often again, and within which time. Not what is asked."""

import logging
from collections.abc import Sequence
from time import monotonic, sleep
from typing import Any, Protocol, Self

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

logger = logging.getLogger(__name__)

pause = sleep  # between attempts; `testing` has no time for it

DATED = "2026-04-01"  # the version that has customers, whichever sessions are made with
USER_AGENT = f"alguna_portal/{__version__}"
# Full jitter: anything from nothing to twice as long as the time before, in seconds.
BACKOFF = wait_random_exponential(multiplier=0.25, max=4)


class Watcher(Protocol):
    """Somebody who is asked before each call, may refuse it, and is told how it ended, retries and all."""

    def before_call(self) -> None:
        """Let the call pass, or raise an `AlgunaError`."""

    def after_call(self, failure: BaseException | None) -> None:
        """Learn how the call ended."""


@hide_local_variables
class BaseClient:
    """One account at Alguna: its key, its address, and how long to try. `client` says what there is to ask."""

    def __init__(
        self,
        *,
        api_key: str,
        api_url: str,
        api_version: str,
        timeout: tuple[float, float],
        time_budget: float,
        retries: int,
        session_seconds: float,
        url_hosts: Sequence[str],
        loopback_http: bool = False,
        circuit_breaker: Watcher | None = None,
    ) -> None:
        self.api_url = api_url
        self.api_version = api_version
        self.timeout = timeout
        self.time_budget = time_budget
        self.retries = retries
        self.session_seconds = session_seconds
        self.url_hosts = url_hosts
        self.loopback_http = loopback_http
        self._circuit_breaker = circuit_breaker
        self._auth = _BearerAuth(api_key)

    @classmethod
    def from_settings(cls, *, circuit_breaker: Watcher | None = None) -> Self:
        """Make the client that the settings describe; raise `ImproperlyConfigured` where they cannot be used."""
        return cls(
            api_key=conf.API_KEY,
            api_url=conf.API_URL,
            api_version=conf.API_VERSION,
            timeout=conf.TIMEOUT,
            time_budget=conf.TIME_BUDGET,
            retries=conf.RETRIES,
            session_seconds=conf.SESSION_SECONDS,
            url_hosts=conf.URL_HOSTS,
            loopback_http=settings.DEBUG,
            circuit_breaker=circuit_breaker,
        )

    def _call(
        self,
        method: str,
        path: str,
        body: JSON | None,
        *,
        within: float | None,
        key: str | None = None,
    ) -> ApiResponse:
        """Send a request, again where it failed in passing, always under the same idempotency key."""
        budget = self.time_budget if within is None else min(within, self.time_budget)
        if budget <= 0:
            raise AlgunaUnavailable("There was no time left to ask Alguna. Try again later.")
        deadline = monotonic() + budget
        headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
        if key is not None:
            headers["Idempotency-Key"] = key
        if path != legacy.PATH:
            headers["Alguna-Version"] = self.api_version if self.api_version != LEGACY_API_VERSION else DATED
        retrying = Retrying(
            retry=retry_if_exception_type(AlgunaUnavailable),
            wait=_wait,
            # A wait that would outlast the budget is not begun.
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
        """Send one request and decode its answer."""
        answer = self._send(method, path, body, headers, within)
        replayed = is_replay(answer.headers)
        try:
            data = parse_response(answer.status, answer.headers, answer.body, redact=self._auth.redact)
        except AlgunaError as exc:
            exc.replayed = replayed
            raise
        return ApiResponse(data=data, replayed=replayed)

    def _send(self, method: str, path: str, body: JSON | None, headers: dict[str, str], within: float) -> RawResponse:
        """Send one request."""
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
    """The API key. As `auth`, since a header would lose to a `.netrc` entry; and no `repr` shows it."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request

    def redact(self, text: str) -> str:
        """Take the key, whole or its secret half, out of an answer that quotes it."""
        for part in (self._api_key, self._api_key.rpartition(".")[2]):
            text = text.replace(part, "[key]") if part else text
        return text


def _wait(state: RetryCallState) -> float:
    """Wait as long as Alguna says, else back off."""
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
