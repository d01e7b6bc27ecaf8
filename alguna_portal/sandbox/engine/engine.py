"""The engine: turns an API request into the response that Alguna would give. Doesn't import Django.

This module has the steps that all requests share: API key, rate limit, simulated faults, version header, routing
and idempotency. The endpoints are in `customers`, `sessions` and `subscriptions`. The state is in mappings that the
caller provides, so that the engine can run behind an HTTP server or replace one in tests.
"""

import hmac
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from . import customers, faults, sessions, subscriptions
from .idempotency import is_transient, run_once
from .types import (
    DEFAULT_PLANS,
    ApiCall,
    ApiError,
    Endpoint,
    Plan,
    Request,
    Response,
    State,
    WriteLock,
    get_process_lock,
    utc_now,
)

API_VERSION = "2026-04-01"

# The first pattern that matches wins. So a customer with the alias "lookup" can only be found with a query parameter.
ROUTES: tuple[tuple[str, Mapping[str, Endpoint]], ...] = (
    ("/customer-portal-sessions", {"POST": sessions.create_session}),
    ("/customers", {"GET": customers.list_customers, "POST": customers.create_customer}),
    ("/customers/lookup", {"GET": customers.look_up_customer}),
    # Aliases can contain slashes, and some servers decode the path before the engine gets it.
    ("/customers/(?P<ident>.+)", {"GET": customers.read_customer, "PATCH": customers.update_customer}),
    ("/subscriptions", {"GET": subscriptions.list_subscriptions}),
    (sessions.LEGACY_PATH, {"POST": sessions.create_legacy_session}),
)
UNVERSIONED_PATHS = frozenset({sessions.LEGACY_PATH})


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Alguna's API for one state and one API key.

    All changes of the state happen within `write_lock`, which is never held for long. `sleep` is called for simulated
    latency. `fault` is for failures that are scripted in code: it is called just before an endpoint, when the
    idempotency key is already claimed. If it returns a response, the endpoint isn't called.
    """

    state: State
    api_key: str
    portal_url: str
    clock: Callable[[], datetime] = utc_now
    session_lifetime: timedelta = timedelta(hours=1)
    first_plan: Plan = DEFAULT_PLANS[0]
    fault: Callable[[Request], Response | None] = lambda _request: None
    write_lock: WriteLock = get_process_lock
    is_within_rate_limit: Callable[[], bool] = lambda: True
    sleep: Callable[[float], None] = time.sleep

    def handle(self, request: Request) -> Response:
        """Return the response to a request. Errors of the client are responses too."""
        if not self._is_authenticated(request):
            return faults.create_unauthenticated_response(
                "A valid API key is required: Authorization: Bearer <key_id>.<key_secret>"
            )
        try:
            response = self._handle_authenticated(request)
        except ApiError as error:
            response = error.to_response()
        return response.with_headers(Transient_Error="true") if is_transient(response) else response

    def _is_authenticated(self, request: Request) -> bool:
        scheme, _, key = (request.get_header("Authorization") or "").partition(" ")
        return (
            scheme.lower() == "bearer"
            and self.api_key != ""
            and hmac.compare_digest(key.strip().encode(), self.api_key.encode())
        )

    def _handle_authenticated(self, request: Request) -> Response:
        if not self.is_within_rate_limit():
            raise ApiError(429, "Too many requests in this second.", headers={"Retry-After": "1"})
        fault = self._get_fault(request)
        # This comes before the idempotency key is claimed, so that simulated failures aren't replayed.
        if (failure := fault.to_response()) is not None:
            self._wait(fault)
            return failure
        if request.path not in UNVERSIONED_PATHS and request.get_header("Alguna-Version") != API_VERSION:
            detail = f"The header Alguna-Version must be {API_VERSION}."
            raise ApiError(400, detail, title="Invalid API version")
        if "\0" in request.path or any("\0" in value for value in request.query.values()):
            raise ApiError(400, "The URL must not contain a NUL character.")
        return self._call_endpoint(request, fault)

    def _get_fault(self, request: Request) -> faults.Fault:
        text = request.get_header(faults.HEADER)
        if text is None:
            return faults.take_fault(self.state, self.write_lock)
        try:
            return faults.parse_fault(text, for_one_request=True)
        except faults.InvalidFault as error:
            raise ApiError(422, f"{faults.HEADER}: {error}") from error

    def _wait(self, fault: faults.Fault) -> None:
        if seconds := fault.get_number("latency"):
            self.sleep(seconds)

    def _call_endpoint(self, request: Request, fault: faults.Fault) -> Response:
        endpoint, ident = _find_endpoint(request)
        now = self.clock()
        call = ApiCall(
            state=self.state,
            request=request,
            ident=ident,
            now=now,
            portal_url=self.portal_url,
            session_lifetime=self._get_session_lifetime(),
            first_plan=self.first_plan,
        )

        def before() -> Response | None:
            self._wait(fault)
            return self.fault(request)

        def run() -> Response:
            try:
                return endpoint(call)
            except ApiError as error:
                return error.to_response()

        return run_once(self.state, request, before=before, run=run, now=now, write_lock=self.write_lock)

    def _get_session_lifetime(self) -> timedelta:
        seconds = faults.get_fault(self.state).parts.get("session-seconds")
        return self.session_lifetime if seconds is None else timedelta(seconds=int(seconds))


def _find_endpoint(request: Request) -> tuple[Endpoint, str]:
    """Return the endpoint and the customer's id or alias in the path; raise ApiError 404 or 405."""
    for pattern, endpoints in ROUTES:
        if match := re.fullmatch(pattern, request.path, re.DOTALL):
            if request.method not in endpoints:
                allow = {"Allow": ", ".join(endpoints)}
                raise ApiError(405, f"{request.method} is not allowed here.", headers=allow)
            return endpoints[request.method], match.groupdict().get("ident", "")
    raise ApiError(404, "No such endpoint.")


class RateLimiter:
    """A sliding window of one second over the requests of this process; `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._allowed_at: deque[float] = deque()
        self._lock = threading.Lock()

    def allow(self, per_second: int) -> bool:
        """Count a request and return whether it is within the limit; 0 is no limit."""
        if per_second <= 0:
            return True
        with self._lock:
            now = self._clock()
            while self._allowed_at and self._allowed_at[0] <= now - 1:
                self._allowed_at.popleft()
            if len(self._allowed_at) >= per_second:
                return False
            self._allowed_at.append(now)
            return True
