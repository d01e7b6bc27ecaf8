"""How Alguna's API behaves: a request in, an answer out; the state in plain mappings, the clock handed in.

Here stand the steps that every request takes: the gateway, the rate limit, the weather, the version, the route,
idempotency. What an endpoint does stands in the module of its noun. Nothing here or there imports Django, so the
engine serves an HTTP server and a fake under an HTTP library alike.
"""

import hmac
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from . import customers, faults, legacy, sessions, subscriptions
from .faults import Fault, unauthenticated
from .idempotency import is_transient, run_once
from .types import PLANS, Answer, ApiError, Call, Endpoint, Exclusive, Plan, Request, State, one_at_a_time

# --- from alguna_portal.sandbox.engine.rate


class RateLimit:
    """What one process let pass within the last second, by a clock of seconds that never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._passed: deque[float] = deque()
        self._lock = threading.Lock()

    def allows(self, per_second: int) -> bool:
        """Count a request and let it pass, or refuse it; 0 lets everything pass."""
        if per_second <= 0:
            return True
        with self._lock:
            now = self._clock()
            while self._passed and self._passed[0] <= now - 1:
                self._passed.popleft()
            if len(self._passed) >= per_second:
                return False
            self._passed.append(now)
            return True


API_VERSION = "2026-04-01"

# The first pattern that fits wins, so a customer with the alias "lookup" is found by query alone.
ROUTES: tuple[tuple[str, Mapping[str, Endpoint]], ...] = (
    ("/customer-portal-sessions", {"POST": sessions.create}),
    ("/customers", {"GET": customers.search, "POST": customers.create}),
    ("/customers/lookup", {"GET": customers.lookup}),
    # An alias may hold slashes, and a server may have decoded them before we see the path.
    ("/customers/(?P<ident>.+)", {"GET": customers.read, "PATCH": customers.update}),
    ("/subscriptions", {"GET": subscriptions.search}),
    (legacy.PATH, {"POST": legacy.create}),
)
# What is older than the version header.
UNDATED = frozenset({legacy.PATH})


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


def no_fault(request: Request) -> Answer | None:  # noqa: ARG001
    """Let every request pass."""
    return None


def no_limit() -> bool:
    """Let any number of requests pass."""
    return True


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Alguna, for one state and one API key.

    What changes the state does so within `exclusive`, and nothing that takes long does. `sleep` waits out the
    weather's latency. `fault` is for who scripts failures in code: it is asked where an endpoint would run, with
    the idempotency key claimed, and an answer that it returns stands instead.
    """

    state: State
    api_key: str
    portal_url: str
    clock: Callable[[], datetime] = utc_now
    session_life: timedelta = timedelta(hours=1)
    first_plan: Plan = PLANS[0]
    fault: Callable[[Request], Answer | None] = no_fault
    exclusive: Exclusive = one_at_a_time
    may_pass: Callable[[], bool] = no_limit
    sleep: Callable[[float], None] = time.sleep

    def answer(self, request: Request) -> Answer:
        """Answer a request as Alguna would; whatever the client did wrong is an answer too."""
        if not self._is_authentic(request):
            return unauthenticated("A valid API key is required: Authorization: Bearer <key_id>.<key_secret>")
        try:
            answer = self._answer(request)
        except ApiError as problem:
            answer = problem.answer()
        return answer.with_headers(Transient_Error="true") if is_transient(answer) else answer

    def _is_authentic(self, request: Request) -> bool:
        scheme, _, key = (request.header("Authorization") or "").partition(" ")
        return (
            scheme.lower() == "bearer"
            and self.api_key != ""
            and hmac.compare_digest(key.strip().encode(), self.api_key.encode())
        )

    def _answer(self, request: Request) -> Answer:
        if not self.may_pass():
            raise ApiError(429, "Too many requests in this second.", headers={"Retry-After": "1"})
        fault = self._fault(request)
        # Before any key is claimed: else what the weather refused would be replayed when the sky is clear.
        if (failure := fault.answer()) is not None:
            self._wait(fault)
            return failure
        return self._routed(request, fault)

    def _fault(self, request: Request) -> Fault:
        text = request.header(faults.HEADER)
        if text is None:
            return faults.meet(self.state, self.exclusive)
        try:
            return faults.read(text, for_one_request=True)
        except faults.UnreadableFault as error:
            raise ApiError(422, f"{faults.HEADER}: {error}") from error

    def _wait(self, fault: Fault) -> None:
        if fault.latency:
            self.sleep(fault.latency)

    def _routed(self, request: Request, fault: Fault) -> Answer:
        if request.path not in UNDATED and request.header("Alguna-Version") != API_VERSION:
            detail = f"The header Alguna-Version must be {API_VERSION}."
            raise ApiError(400, detail, title="Invalid API version")
        if "\0" in request.path or any("\0" in value for value in request.query.values()):
            raise ApiError(400, "The URL must not contain a NUL character.")
        endpoint, ident = _route(request)
        now = self.clock()
        call = Call(
            state=self.state,
            request=request,
            ident=ident,
            now=now,
            portal_url=self.portal_url,
            session_life=self._session_life(),
            first_plan=self.first_plan,
        )

        def before() -> Answer | None:
            self._wait(fault)
            return self.fault(request)

        def run() -> Answer:
            try:
                return endpoint(call)
            except ApiError as problem:
                return problem.answer()

        return run_once(self.state, request, before=before, run=run, now=now, exclusive=self.exclusive)

    def _session_life(self) -> timedelta:
        seconds = faults.current(self.state).session_seconds
        return self.session_life if seconds is None else timedelta(seconds=seconds)


def _route(request: Request) -> tuple[Endpoint, str]:
    for pattern, endpoints in ROUTES:
        if match := re.fullmatch(pattern, request.path, re.DOTALL):
            if request.method not in endpoints:
                allow = {"Allow": ", ".join(endpoints)}
                raise ApiError(405, f"{request.method} is not allowed here.", headers=allow)
            return endpoints[request.method], match.groupdict().get("ident", "")
    raise ApiError(404, "No such endpoint.")
