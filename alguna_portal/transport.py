"""One HTTP request and its answer, bounded in time and in size. No exception of `requests` leaves it.

The bound in time is a hard one. The timeouts of `requests` hold for each read alone, so a server that sends a
byte now and then could keep a caller for ever, and a name server for half a minute. So the request runs in a
thread of its own, and its caller leaves it behind when time is up.
"""

import os
from collections.abc import Mapping
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from threading import Lock, Thread
from time import monotonic
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from .exceptions import AlgunaUnavailable, BadAnswer

CONNECTIONS = 32  # kept alive per process: as many as a threaded worker commonly has threads
LARGEST_BODY = 1024 * 1024  # bytes; what is asked for here never takes more than a few thousand
CHUNK = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back, whatever it says."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def send(
    method: str,
    url: str,
    *,
    json: dict[str, Any] | None,
    headers: Mapping[str, str],
    auth: AuthBase,
    timeout: tuple[float, float],
    within: float,
) -> Answer:
    """Send one request and return its answer within so many seconds, or raise `AlgunaUnavailable`.

    `timeout` is for the connection and for each read, as in `requests`. Redirects are not followed. Raise
    `BadAnswer` for a body that is too large.
    """
    deadline = monotonic() + within

    def exchange() -> Answer:
        with _connections().request(
            method,
            url,
            json=json,
            headers=headers,
            auth=auth,
            timeout=(min(timeout[0], within), min(timeout[1], within)),
            allow_redirects=False,
            stream=True,
        ) as response:
            return Answer(status=response.status_code, headers=response.headers, body=_body(response, deadline))

    future: Future[Answer] = Future()

    def run() -> None:
        try:
            future.set_result(exchange())
        except BaseException as exc:  # noqa: BLE001  (whatever it is, it is the caller's)
            future.set_exception(exc)

    Thread(target=copy_context().run, args=(run,), name="alguna_portal", daemon=True).start()
    try:
        return future.result(within)
    except TimeoutError:
        raise AlgunaUnavailable("Alguna did not answer in the time there was. Try again later.") from None
    # RequestException is an OSError. Errors of urllib3, and of the modules below, slip through requests now and then.
    except (OSError, HTTPError, ValueError) as exc:
        raise AlgunaUnavailable(
            f"Alguna cannot be reached ({_names(exc)}). Try again later; if it stays so, check ALGUNA_PORTAL_API_URL "
            "and the way out of your network."
            # Not `from exc`: it has the request, and the frames of its traceback have the key. Reports show both.
        ) from None


def _names(exc: BaseException) -> str:
    """Name an exception and what it began with, without their texts."""
    root = exc
    while root.__context__ is not None:
        root = root.__context__
    return " < ".join(dict.fromkeys([type(exc).__name__, type(root).__name__]))


def _body(response: requests.Response, deadline: float) -> bytes:
    """Read a body as it comes, and give up on one that is too large or too slow."""
    body = b""
    # Only `read1` returns what has come; any other read waits until a whole chunk has.
    while chunk := response.raw.read1(CHUNK, decode_content=True):
        body += chunk
        if len(body) > LARGEST_BODY:
            raise BadAnswer(f"Alguna answered {response.status_code} with more than {LARGEST_BODY} bytes.")
        if monotonic() > deadline:
            raise TimeoutError
    return body


class _Session(requests.Session):
    """A pool of connections, without the state that threads would share and without redirects."""

    def __init__(self) -> None:
        super().__init__()
        self.mount("https://", HTTPAdapter(pool_maxsize=CONNECTIONS))
        self.mount("http://", HTTPAdapter(pool_maxsize=CONNECTIONS))
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        """Follow nothing; requests would parse the address even where it must not go there."""
        return


_sessions: dict[int, _Session] = {}
_opening = Lock()


def _connections() -> _Session:
    """Return this process's one pool. A forked child opens its own, since it must not share sockets."""
    pid = os.getpid()
    with _opening:
        if pid not in _sessions:
            _sessions.clear()
            _sessions[pid] = _Session()
        return _sessions[pid]
