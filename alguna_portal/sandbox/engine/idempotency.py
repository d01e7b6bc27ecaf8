"""Idempotency keys: a request with a key runs once in 24 hours, however often the client sends it.

A request first claims its key, then runs, then stores its response under the key. The claim is written separately,
so that the same request gets 409 in the meantime instead of waiting. Running and storing are one transaction. If
the request fails temporarily or raises an exception, its key is released. If the process dies, its claim expires
after a minute. If a request takes longer than that and another one has claimed the key, it doesn't run.
"""

import hashlib
import json
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from .types import JSON, ApiError, Request, Response, State, WriteLock, format_timestamp

MAX_KEY_LENGTH = 255
RESPONSE_LIFETIME = timedelta(hours=24)
CLAIM_LIFETIME = timedelta(seconds=60)
ERROR_TITLE = "Idempotency error"


def run_once(
    state: State,
    request: Request,
    *,
    before: Callable[[], Response | None],
    run: Callable[[], Response],
    now: datetime,
    write_lock: WriteLock,
) -> Response:
    """Run a request or, if it ran before with the same key, return its first response.

    `before` is called without the lock, so it may be slow. If it returns a response, `run` isn't called. Only `run`
    may change the state.
    """
    key = request.get_header("Idempotency-Key")
    if request.method not in {"POST", "PATCH", "DELETE"}:
        return before() or run()
    if not key:
        response = before()
        with write_lock():
            return response or run()
    if len(key) > MAX_KEY_LENGTH:
        raise ApiError(400, f"Idempotency-Key is longer than {MAX_KEY_LENGTH} characters.", title=ERROR_TITLE)
    claim: JSON = {
        "request": _hash(request),
        "claimed_at": format_timestamp(now),
        "claimed_by": secrets.token_hex(8),
        "response": None,
    }
    with write_lock():
        existing = state["idempotency"].get(key)
        if existing is None or _has_expired(existing, now=now):
            existing = None
            state["idempotency"][key] = claim
    if existing is not None:
        return _replay(existing, claim, key)
    try:
        response = before()
        with write_lock():
            current = state["idempotency"].get(key)
            if current not in (None, claim):
                return _replay(current, claim, key)
            response = response or run()
            # A replay must contain the session's URL, so this is the only place that stores it.
            state["idempotency"][key] = {**claim, "response": _to_json(response)}
            if is_transient(response):
                del state["idempotency"][key]
    except BaseException:
        with write_lock():
            if state["idempotency"].get(key) == claim:
                del state["idempotency"][key]
        raise
    return response.with_headers(Idempotency_Key=key, Idempotent_Replayed="false")


def is_transient(response: Response) -> bool:
    """Return whether the same request may succeed later; such responses aren't stored."""
    return response.status >= 500 or response.status == 429


def _has_expired(claim: JSON, *, now: datetime) -> bool:
    lifetime = CLAIM_LIFETIME if claim["response"] is None else RESPONSE_LIFETIME
    return now - datetime.fromisoformat(claim["claimed_at"]) >= lifetime


def _replay(existing: JSON, claim: JSON, key: str) -> Response:
    """Return the stored response; raise ApiError if the request differs or is still running."""
    if existing["request"] != claim["request"]:
        raise ApiError(422, "This Idempotency-Key was used with another request.", title=ERROR_TITLE)
    if existing["response"] is None:
        headers = {"Retry-After": "1"}
        raise ApiError(409, "A request with this Idempotency-Key still runs.", title=ERROR_TITLE, headers=headers)
    stored = existing["response"]
    response = Response(status=stored["status"], headers=stored["headers"], body=stored["body"].encode())
    return response.with_headers(Idempotency_Key=key, Idempotent_Replayed="true")


def _to_json(response: Response) -> JSON:
    return {"status": response.status, "headers": dict(response.headers), "body": response.body.decode()}


def _hash(request: Request) -> str:
    target = json.dumps([request.method, request.path, sorted(request.query.items())]).encode()
    return hashlib.sha256(target + request.body).hexdigest()
