"""Idempotency keys: the same request runs once in 24 hours, however often it is sent.

A key is claimed before its request runs and settled afterwards. What failed for a passing reason, or fell
over, gives its key back. A door that lets one writer in at a time, as the HTTP door does, makes a second
request wait and get the replay; threads that share dicts meet the claim and get the 409.
"""

import hashlib
import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from .messages import JSON, Answer, ApiError, Request, State, timestamp

LONGEST_KEY = 255
MEMORY = timedelta(hours=24)
TITLE = "Idempotency error"

_claiming = threading.Lock()


def run_once(state: State, request: Request, run: Callable[[], Answer], *, now: datetime) -> Answer:
    """Return the answer of this request's first run, which is now if its key is new or it has none."""
    key = request.header("Idempotency-Key")
    if not key or request.method not in {"POST", "PATCH", "DELETE"}:
        return run()
    if len(key) > LONGEST_KEY:
        raise ApiError(400, f"Idempotency-Key is longer than {LONGEST_KEY} characters.", title=TITLE)
    claim: JSON = {"request": _fingerprint(request), "claimed_at": timestamp(now), "answer": None}
    with _claiming:
        earlier = state["idempotency"].get(key)
        if earlier is None or now - datetime.fromisoformat(earlier["claimed_at"]) >= MEMORY:
            earlier = None
            state["idempotency"][key] = claim
    if earlier is not None:
        return _replay(earlier, claim, key)
    try:
        answer = run()
    except BaseException:
        del state["idempotency"][key]
        raise
    if is_transient(answer):
        del state["idempotency"][key]
    else:
        # A replay must give a session's URL again, so here alone it is kept as it is.
        state["idempotency"][key] = {**claim, "answer": _packed(answer)}
    return answer.with_headers(Idempotency_Key=key, Idempotent_Replayed="false")


def is_transient(answer: Answer) -> bool:
    """Tell whether the same request may succeed later, so that nothing of it is remembered."""
    return answer.status >= 500 or answer.status == 429


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
