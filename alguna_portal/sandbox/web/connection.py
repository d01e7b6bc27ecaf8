"""Closing a visitor's connection without an answer, which WSGI has no word for."""

import os
import socket
from typing import Any, NoReturn

from django.http import HttpRequest, StreamingHttpResponse


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
