"""The door of the API: Django's requests to the engine's, and its answers back."""

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from .conf import conf
from .debug_only import debug_only
from .engine import Engine
from .messages import Answer, Request, State
from .records import reading, writing


@csrf_exempt
@debug_only
def api(request: HttpRequest, path: str) -> HttpResponse:
    """Answer one call of the API."""
    asked = Request(
        method=request.method or "",
        path=f"/{path}",
        query=request.GET.dict(),
        headers=dict(request.headers),
        body=request.body,
    )
    if asked.method in {"GET", "HEAD", "OPTIONS"}:
        answer = _engine(request, reading()).answer(asked)
    else:
        with writing() as state:
            answer = _engine(request, state).answer(asked)
    return _response(answer)


def _engine(request: HttpRequest, state: State) -> Engine:
    # The portal lies where this very call found the API: behind whatever host, port or proxy that was.
    mount = request.build_absolute_uri(reverse("alguna_sandbox:api", kwargs={"path": ""}))
    return Engine(state=state, api_key=conf.api_key, portal_url=mount.rstrip("/"), session_life=conf.session_life)


def _response(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status)
    for name, value in answer.headers.items():
        response[name] = value
    response["Cache-Control"] = "no-store"
    return response
