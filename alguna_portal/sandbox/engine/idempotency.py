"""Idempotency keys: the same request runs once in 24 hours, however often it is sent.

A key is claimed, its request runs, its answer is settled. The claim is written by itself, so that who comes
meanwhile gets a 409 and does not wait; run and settlement are written together, so that there is never one
without the other. What failed for a passing reason, or fell over, gives its key back. A process that dies in
between leaves a claim, which counts for a minute; who slept for longer than that finds the key taken over, and
does not run any more.
"""

import hashlib
import json
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from .types import JSON, Answer, ApiError, Exclusive, Request, State, timestamp

LONGEST_KEY = 255
MEMORY = timedelta(hours=24)
LONGEST_RUN = timedelta(seconds=60)
TITLE = "Idempotency error"


def run_once(
    state: State,
    request: Request,
    *,
    before: Callable[[], Answer | None],
    run: Callable[[], Answer],
    now: datetime,
    exclusive: Exclusive,
) -> Answer:
    """Return the answer of this request's first run, which is now if its key is new or it has none.

    `before` may take its time and answer in the place of `run`, which alone changes the state.
    """
    key = request.header("Idempotency-Key")
    if request.method not in {"POST", "PATCH", "DELETE"}:
        return before() or run()
    if not key:
        answer = before()
        with exclusive():
            return answer or run()
    if len(key) > LONGEST_KEY:
        raise ApiError(400, f"Idempotency-Key is longer than {LONGEST_KEY} characters.", title=TITLE)
    claim: JSON = {
        "request": _fingerprint(request),
        "claimed_at": timestamp(now),
        "claimed_by": secrets.token_hex(8),
        "answer": None,
    }
    with exclusive():
        earlier = state["idempotency"].get(key)
        if earlier is None or _is_over(earlier, now=now):
            earlier = None
            state["idempotency"][key] = claim
    if earlier is not None:
        return _replay(earlier, claim, key)
    try:
        answer = before()
        with exclusive():
            other = state["idempotency"].get(key)
            if other not in (None, claim):
                return _replay(other, claim, key)
            answer = answer or run()
            # A replay must give a session's URL again, so here alone it is kept as it is.
            state["idempotency"][key] = {**claim, "answer": _packed(answer)}
            if is_transient(answer):
                del state["idempotency"][key]
    except BaseException:
        with exclusive():
            if state["idempotency"].get(key) == claim:
                del state["idempotency"][key]
        raise
    return answer.with_headers(Idempotency_Key=key, Idempotent_Replayed="false")


def is_transient(answer: Answer) -> bool:
    """Tell whether the same request may succeed later, so that nothing of it is remembered."""
    return answer.status >= 500 or answer.status == 429


def _is_over(earlier: JSON, *, now: datetime) -> bool:
    lasts = LONGEST_RUN if earlier["answer"] is None else MEMORY
    return now - datetime.fromisoformat(earlier["claimed_at"]) >= lasts


def _replay(earlier: JSON, claim: JSON, key: str) -> Answer:
    if earlier["request"] != claim["request"]:
        raise ApiError(422, "This Idempotency-Key was used with another request.", title=TITLE)
    if earlier["answer"] is None:
        raise ApiError(
            409, "A request with this Idempotency-Key still runs.", title=TITLE, headers={"Retry-After": "1"}
        )
    first = earlier["answer"]
    answer = Answer(status=first["status"], headers=first["headers"], body=first["body"].encode())
    return answer.with_headers(Idempotency_Key=key, Idempotent_Replayed="true")


def _packed(answer: Answer) -> JSON:
    return {"status": answer.status, "headers": dict(answer.headers), "body": answer.body.decode()}


def _fingerprint(request: Request) -> str:
    said = json.dumps([request.method, request.path, sorted(request.query.items())]).encode()
    return hashlib.sha256(said + request.body).hexdigest()
