"""WSGI client that sends requests through the whole Django stack without a network."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

from .site import application

SendRequest = Callable[[], tuple[str, dict[str, str]]]

# The environ that gunicorn creates for a click in a browser.
ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "8000",
    "SERVER_SOFTWARE": "gunicorn",
    "REMOTE_ADDR": "127.0.0.1",
    "REMOTE_PORT": "54321",
    "SCRIPT_NAME": "",
    "QUERY_STRING": "",
    "HTTP_HOST": "127.0.0.1:8000",
    "HTTP_CONNECTION": "keep-alive",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "HTTP_ACCEPT_LANGUAGE": "en-GB,en;q=0.7,de;q=0.3",
    "HTTP_ACCEPT_ENCODING": "gzip, deflate, br, zstd",
    "HTTP_REFERER": "http://127.0.0.1:8000/",
    "HTTP_UPGRADE_INSECURE_REQUESTS": "1",
    "HTTP_SEC_FETCH_DEST": "document",
    "HTTP_SEC_FETCH_MODE": "navigate",
    "HTTP_SEC_FETCH_SITE": "same-origin",
    "HTTP_SEC_FETCH_USER": "?1",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.multithread": False,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


def create_request_sender(path: str, cookie: str) -> SendRequest:
    """Return a function that requests a page and returns the status and headers of the response."""
    template: dict[str, Any] = {**ENVIRON, "PATH_INFO": path, "RAW_URI": path, "HTTP_COOKIE": cookie}
    response_start: list[Any] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None, /
    ) -> Callable[[bytes], object]:
        response_start[:] = status, headers
        return lambda _: None

    def send_request() -> tuple[str, dict[str, str]]:
        response: Any = application({**template, "wsgi.input": BytesIO(), "wsgi.errors": BytesIO()}, start_response)
        try:
            for _ in response:
                pass
        finally:
            response.close()
        return response_start[0], dict(response_start[1])

    return send_request
