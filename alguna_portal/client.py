"""Alguna's API: what is asked, how often it is asked again, and what comes of it. Knows no models and no cache."""

import json
import logging
from collections.abc import Sequence
from hashlib import sha256
from time import monotonic, sleep
from typing import Any, Protocol, Self
from urllib.parse import quote, urlencode
from uuid import uuid4

import requests
from django.conf import settings
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_random_exponential

from . import __version__, legacy
from .answers import (
    JSON,
    PortalSession,
    Said,
    Subscription,
    aliases,
    created,
    decode,
    has_alias,
    is_replay,
    looked_up,
    portal_session,
    subscriptions,
)
from .bodies import customer_request, session_request
from .conf import conf
from .events import event
from .exceptions import AlgunaError, AlgunaUnavailable, BadAnswer, CustomerUnknown
from .portal_settings import PortalSettings
from .transport import Answer, send
from .vetting import vet

logger = logging.getLogger(__name__)

pause = sleep  # between attempts; `testing` has no time for it

DATED = "2026-04-01"  # the version that has customers, whichever sessions are made with
PAGE, MOST_PAGES = 100, 20  # as large as the API gives; more subscriptions than any customer has
USER_AGENT = f"alguna_portal/{__version__}"
# Full jitter: anything from nothing to twice as long as the time before, in seconds.
BACKOFF = wait_random_exponential(multiplier=0.25, max=4)


class Watcher(Protocol):
    """Somebody who is asked before each call, may refuse it, and is told how it ended, retries and all."""

    def before_call(self) -> None:
        """Let the call pass, or raise an `AlgunaError`."""

    def after_call(self, failure: BaseException | None) -> None:
        """Learn how the call ended."""


class AlgunaClient:
    """Alguna's API, with the key and the address of one account."""

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
        watcher: Watcher | None = None,
    ) -> None:
        self.api_url = api_url
        self.api_version = api_version
        self.timeout = timeout
        self.time_budget = time_budget
        self.retries = retries
        self.session_seconds = session_seconds
        self.url_hosts = url_hosts
        self.loopback_http = loopback_http
        self._watcher = watcher
        self._auth = _BearerAuth(api_key)

    @classmethod
    def from_settings(cls, *, watcher: Watcher | None = None) -> Self:
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
            watcher=watcher,
        )

    def create_portal_session(
        self,
        customer_alias: object,
        portal_settings: PortalSettings,
        *,
        customer_id: str | None = None,
        within: float | None = None,
    ) -> PortalSession:
        """Ask for a new portal session; raise an `AlgunaError` where there is none to be had.

        With `customer_id`, Alguna's id of the customer, a session for anybody else is refused. `within` is how
        many seconds the call may take with all its retries, where that is less than the time budget.
        """
        body = session_request(customer_alias, portal_settings, self.api_version)
        key = str(uuid4())
        if self.api_version == legacy.VERSION:
            session = legacy.portal_session(
                self._call("POST", legacy.PATH, body, within=within, key=key).data, seconds=self.session_seconds
            )
        else:
            session = portal_session(self._call("POST", "/customer-portal-sessions", body, within=within, key=key).data)
        return vet(session, customer_id=customer_id, url_hosts=self.url_hosts, loopback_http=self.loopback_http)

    def find_customer(self, alias: str, *, within: float | None = None) -> str | None:
        """Look up the id of the customer that has an alias; return None where Alguna has none."""
        try:
            path = f"/customers/lookup?{urlencode({'alias': alias})}"
            found = looked_up(self._call("GET", path, None, within=within).data)
        except CustomerUnknown:
            return None
        # The lookup takes ids as well. A customer that is found by its id was not found by an alias.
        return None if found == alias else found

    def create_customer(
        self,
        *,
        alias: str,
        name: str,
        currency: str,
        email: str = "",
        again: bool = False,
        within: float | None = None,
    ) -> tuple[str, bool]:
        """Create a customer; return its id, and whether Alguna only repeats what it answered up to a day ago.

        Sent twice with the same data, it is created once; unless `again` says that it must not be the same request.
        """
        body = customer_request(alias=alias, name=name, currency=currency, email=email)
        same = f"customer-{sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()}"
        said = self._call("POST", "/customers", body, within=within, key=str(uuid4()) if again else same)
        return created(said.data, alias=alias), said.replayed

    def has_alias(self, customer_id: str, alias: str, *, within: float | None = None) -> bool:
        """Say whether the customer of an id is still there, and has an alias."""
        data = self._customer(customer_id, within=within)
        return data is not None and has_alias(data, alias)

    def aliases(self, customer_id: str, *, within: float | None = None) -> list[str]:
        """Look up the aliases of the customer of an id; none where Alguna has no such customer."""
        data = self._customer(customer_id, within=within)
        return [] if data is None else aliases(data, customer_id=customer_id)

    def subscriptions(self, customer_id: str, *, within: float | None = None) -> list[Subscription]:
        """List a customer's subscriptions, whatever their state; raise `BadAnswer` where there is no end to them."""
        budget = self.time_budget if within is None else within
        until = monotonic() + budget
        found: list[Subscription] = []
        for number in range(MOST_PAGES):
            query = urlencode({"customer_id": customer_id, "limit": PAGE, "offset": number * PAGE})
            data = self._call("GET", f"/subscriptions?{query}", None, within=until - monotonic()).data
            page = subscriptions(data, customer_id=customer_id)
            found += page
            if len(page) < PAGE:
                return found
        raise BadAnswer(f"Alguna has more than {MOST_PAGES * PAGE} subscriptions of one customer.")

    def _customer(self, customer_id: str, *, within: float | None) -> JSON | None:
        """Get the customer of an id; None where Alguna has no such customer."""
        try:
            return self._call("GET", f"/customers/{quote(customer_id, safe='')}", None, within=within).data
        except CustomerUnknown:
            return None

    def _call(
        self,
        method: str,
        path: str,
        body: JSON | None,
        *,
        within: float | None,
        key: str | None = None,
    ) -> Said:
        """Send a request, again where it failed in passing, always under the same idempotency key."""
        budget = self.time_budget if within is None else min(within, self.time_budget)
        if budget <= 0:
            raise AlgunaUnavailable("There was no time left to ask Alguna. Try again later.")
        deadline = monotonic() + budget
        headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
        if key is not None:
            headers["Idempotency-Key"] = key
        if path != legacy.PATH:
            headers["Alguna-Version"] = self.api_version if self.api_version != legacy.VERSION else DATED
        retrying = Retrying(
            retry=retry_if_exception_type(AlgunaUnavailable),
            wait=_wait,
            # A wait that would outlast the budget is not begun.
            stop=stop_after_attempt(self.retries + 1) | stop_before_delay(budget),
            before_sleep=_log_retry,
            sleep=lambda seconds: pause(seconds),
            reraise=True,
        )
        if self._watcher:
            self._watcher.before_call()
        failure: BaseException | None = None
        try:
            return retrying(lambda: self._attempt(method, path, body, headers, deadline - monotonic()))
        except BaseException as exc:
            failure = exc
            raise
        finally:
            if self._watcher:
                self._watcher.after_call(failure)

    def _attempt(self, method: str, path: str, body: JSON | None, headers: dict[str, str], within: float) -> Said:
        """Send one request and decode its answer."""
        answer = self._send(method, path, body, headers, within)
        replayed = is_replay(answer.headers)
        try:
            data = decode(answer.status, answer.headers, answer.body, redact=self._auth.redact)
        except AlgunaError as exc:
            exc.replayed = replayed
            raise
        return Said(data=data, replayed=replayed)

    def _send(self, method: str, path: str, body: JSON | None, headers: dict[str, str], within: float) -> Answer:
        """Send one request."""
        return send(
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
    failure = state.outcome and state.outcome.exception()
    logger.warning(
        "Attempt %s failed and is repeated in %.1f s. %s",
        state.attempt_number,
        state.upcoming_sleep,
        failure,
        extra=event(
            "call_repeated",
            attempt=state.attempt_number,
            error=type(failure).__name__,
            status=getattr(failure, "status", None),
            seconds=state.upcoming_sleep,
        ),
    )
