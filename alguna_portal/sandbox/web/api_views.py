"""The door of the API: Django's requests to the engine's, and its answers back."""

from functools import partial

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from alguna_portal.sandbox.conf import conf
from alguna_portal.sandbox.engine.engine import Engine
from alguna_portal.sandbox.engine.rate import RateLimit
from alguna_portal.sandbox.engine.types import Answer, Dropped, Request

from .connection import cut_off
from .debug_only import debug_only
from .store import shared, writing

# One for each process, as the setting's description says.
_rate_limit = RateLimit()


# The engine says what is one transaction; around all of it, a host's would hide the claim of an idempotency key.
@transaction.non_atomic_requests
@csrf_exempt
@debug_only
def api(request: HttpRequest, path: str) -> HttpResponseBase:
    """Answer one call of the API."""
    asked = Request(
        method=request.method or "",
        path=f"/{path}",
        query=request.GET.dict(),
        headers=dict(request.headers),
        body=request.body,
    )
    # The portal lies where this very call found the API: behind whatever host, port or proxy that was.
    mount = request.build_absolute_uri(reverse("alguna_sandbox:api", kwargs={"path": ""}))
    engine = Engine(
        state=shared(),
        exclusive=writing,
        api_key=conf.api_key,
        portal_url=mount.rstrip("/"),
        session_life=conf.session_life,
        first_plan=conf.plans[0],
        may_pass=partial(_rate_limit.allows, conf.requests_per_second),
    )
    answer = engine.answer(asked)
    return cut_off(request) if isinstance(answer, Dropped) else _response(answer)


def _response(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status)
    for name, value in answer.headers.items():
        response[name] = value
    response["Cache-Control"] = "no-store"
    return response
