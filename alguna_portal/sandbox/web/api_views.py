"""The door of the API: Django's requests to the engine's, and its answers back."""

import os
import socket
from functools import partial
from typing import Any, NoReturn

from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from alguna_portal.sandbox.conf import conf
from alguna_portal.sandbox.engine.engine import Engine, RateLimit
from alguna_portal.sandbox.engine.types import Answer, Dropped, Request

from .portal_views import debug_only
from .store import shared, writing

# --- from alguna_portal.sandbox.web.connection


def cut_off(request: HttpRequest) -> StreamingHttpResponse:
    """Return a response that closes the connection as soon as a server asks for its content.

    Servers send nothing of a response before its first bytes are there. By then the socket is shut, and the
    exception, which wsgiref takes for a visitor who went away, ends it quietly. Raising alone would not do: under
    HTTP/1.1 `runserver` would keep the connection open, and the visitor would wait for ever.
    """
    return StreamingHttpResponse(_Cut(request.META.get("wsgi.input")))


class _Cut:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> "_Cut":
        return self

    def __next__(self) -> NoReturn:
        # `runserver` and LiveServerTestCase wrap the reader of the socket so that nobody reads past the body.
        reader = getattr(getattr(self._stream, "_read", None), "__self__", self._stream)
        try:
            with socket.socket(fileno=os.dup(reader.fileno())) as connection:
                connection.shutdown(socket.SHUT_RDWR)
        except (AttributeError, OSError):
            pass  # another server, which hides its socket: most of them close it on an exception
        raise ConnectionAbortedError("The sandbox's weather: the connection is dropped.")


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
