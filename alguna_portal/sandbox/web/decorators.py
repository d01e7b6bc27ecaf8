"""Debug-only guard for views."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def debug_only(view: View[P]) -> View[P]:
    """Return 404 to every request unless DEBUG is on: the sandbox must not be reachable on a public site."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not settings.DEBUG:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded
