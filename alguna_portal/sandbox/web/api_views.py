"""The API's view: converts Django's requests and responses to the engine's, and drops connections."""

import os
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from alguna_portal.sandbox.conf import conf, debug_only
from alguna_portal.sandbox.engine.engine import Engine, RateLimiter
from alguna_portal.sandbox.engine.types import DroppedConnection, Request
from alguna_portal.sandbox.models import get_writable_state, write_state

# The limit is per process, as documented for its setting.
_rate_limiter = RateLimiter()


# The engine commits the claim of an idempotency key separately, which ATOMIC_REQUESTS would prevent.
@transaction.non_atomic_requests
@csrf_exempt
@debug_only
def api(request: HttpRequest, path: str) -> HttpResponseBase:
    """Handle a request to the API."""
    engine_request = Request(
        method=request.method or "",
        path=f"/{path}",
        query=request.GET.dict(),
        headers=dict(request.headers),
        body=request.body,
    )
    # Portal URLs have the host, port and path prefix under which the client reached the API.
    mount = request.build_absolute_uri(reverse("alguna_sandbox:api", kwargs={"path": ""}))
    engine = Engine(
        state=get_writable_state(),
        write_lock=write_state,
        api_key=conf.api_key,
        portal_url=mount.rstrip("/"),
        session_lifetime=conf.session_lifetime,
        first_plan=conf.plans[0],
        is_within_rate_limit=partial(_rate_limiter.allow, conf.requests_per_second),
    )
    engine_response = engine.handle(engine_request)
    if isinstance(engine_response, DroppedConnection):
        return StreamingHttpResponse(_drop_connection(request.META.get("wsgi.input")))
    response = HttpResponse(engine_response.body, status=engine_response.status)
    for name, value in engine_response.headers.items():
        response[name] = value
    response["Cache-Control"] = "no-store"
    return response


def _drop_connection(stream: Any) -> Iterator[bytes]:
    """Close the connection as soon as the server reads the content of the response.

    Servers send the headers with the first bytes of the content, and by then the socket is shut down. wsgiref treats
    the exception like a client that disconnected. An exception alone isn't enough: under HTTP/1.1, `runserver` would
    keep the connection open, and the client would wait forever.
    """
    yield from ()  # makes this a generator
    # `runserver` and LiveServerTestCase wrap the socket's reader to limit it to the request's body.
    reader = getattr(getattr(stream, "_read", None), "__self__", stream)
    try:
        with socket.socket(fileno=os.dup(reader.fileno())) as connection:
            connection.shutdown(socket.SHUT_RDWR)
    except (AttributeError, OSError):
        pass  # Other servers don't expose the socket, but most of them close it after an exception.
    raise ConnectionAbortedError("The sandbox's simulated fault: the connection is dropped.")
