"""How Alguna's API behaves: a request in, an answer out; the state in plain mappings, the clock handed in.

Here stand the steps that every request takes: the gateway, the version, the route, idempotency. What an
endpoint does stands in the module of its noun. Nothing here or there imports Django, so the engine serves an
HTTP server and a fake under an HTTP library alike.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from . import customers, sessions, subscriptions
from .idempotency import is_transient, run_once
from .messages import Answer, ApiError, Call, Endpoint, Request, State, json_answer

API_VERSION = "2026-04-01"

# The first pattern that fits wins, so a customer with the alias "lookup" is found by query alone.
ROUTES: tuple[tuple[str, Mapping[str, Endpoint]], ...] = (
    ("/customer-portal-sessions", {"POST": sessions.create}),
    ("/customers", {"GET": customers.search, "POST": customers.create}),
    ("/customers/lookup", {"GET": customers.lookup}),
    # An alias may hold slashes, and a server may have decoded them before we see the path.
    ("/customers/(?P<ident>.+)", {"GET": customers.read, "PATCH": customers.update}),
    ("/subscriptions", {"GET": subscriptions.search}),
)


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


def no_fault(request: Request) -> Answer | None:  # noqa: ARG001
    """Let every request pass."""
    return None


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Alguna, for one state and one API key.

    `fault` is asked before an endpoint runs; an answer that it returns stands instead: an outage, say.
    """

    state: State
    api_key: str
    portal_url: str
    clock: Callable[[], datetime] = utc_now
    session_life: timedelta = timedelta(hours=1)
    fault: Callable[[Request], Answer | None] = no_fault

    def answer(self, request: Request) -> Answer:
        """Answer a request as Alguna would; whatever the client did wrong is an answer too."""
        if not self._is_authentic(request):
            message = "A valid API key is required: Authorization: Bearer <key_id>.<key_secret>"
            return json_answer({"code": "unauthenticated", "message": message}, status=401)
        try:
            return self._routed(request)
        except ApiError as problem:
            return problem.answer()

    def _is_authentic(self, request: Request) -> bool:
        scheme, _, key = (request.header("Authorization") or "").partition(" ")
        return (
            scheme.lower() == "bearer"
            and self.api_key != ""
            and hmac.compare_digest(key.strip().encode(), self.api_key.encode())
        )

    def _routed(self, request: Request) -> Answer:
        if request.header("Alguna-Version") != API_VERSION:
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
            session_life=self.session_life,
        )
        return run_once(self.state, request, lambda: self._run(endpoint, call), now=now)

    def _run(self, endpoint: Endpoint, call: Call) -> Answer:
        answer = self.fault(call.request)
        if answer is None:
            try:
                answer = endpoint(call)
            except ApiError as problem:
                answer = problem.answer()
        return answer.with_headers(Transient_Error="true") if is_transient(answer) else answer


def _route(request: Request) -> tuple[Endpoint, str]:
    for pattern, endpoints in ROUTES:
        if match := re.fullmatch(pattern, request.path, re.DOTALL):
            if request.method not in endpoints:
                allow = {"Allow": ", ".join(endpoints)}
                raise ApiError(405, f"{request.method} is not allowed here.", headers=allow)
            return endpoints[request.method], match.groupdict().get("ident", "")
    raise ApiError(404, "No such endpoint.")
