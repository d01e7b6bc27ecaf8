"""HTTP transport: one request and its response, with hard limits on time and size. Raises no exceptions of `requests`.

The timeouts of `requests` apply to each read alone, so a server that sends a byte now and then could block the caller
forever, and a slow name server for half a minute. So each request runs in another thread, and the caller stops waiting
for it when the time is up.
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor, Future
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import lru_cache, partial
from queue import SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import urljoin

import requests
from asgiref.sync import sync_to_async
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from alguna_portal.exceptions import AlgunaUnavailable, UnexpectedResponse

T = TypeVar("T")
Task = Callable[[], None]

MAX_IDLE = 32  # idle threads and open connections for each process: as many as a worker commonly has threads
LARGEST_BODY = 1024 * 1024  # bytes; the largest response that we need has a few thousand
CHUNK = 64 * 1024
PROXY_VARIABLES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")


@dataclass(frozen=True, kw_only=True)
class RawResponse:
    """A response with any status and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def send_request(
    method: str,
    url: str,
    *,
    json: dict[str, Any] | None,
    headers: Mapping[str, str],
    auth: AuthBase,
    timeout: tuple[float, float],
    within: float,
) -> RawResponse:
    """Send one request and return the response within `within` seconds, or raise `AlgunaUnavailable`.

    `timeout` is for the connection and for each read, as in `requests`. Redirects aren't followed. Raise
    `UnexpectedResponse` if the body is too large.
    """
    deadline = monotonic() + within

    def exchange() -> RawResponse:
        # `Session.request` also handles redirects and cookies, which doubles the cost.
        request = requests.PreparedRequest()
        request.prepare(method=method, url=url, headers=headers, json=json, auth=auth)
        limits = (min(timeout[0], within), min(timeout[1], within))
        adapter = _get_session().get_adapter(url)
        # The environment by origin only: the path differs each time and may contain an alias.
        environment = _get_environment(urljoin(url, "/"), *map(os.environ.get, PROXY_VARIABLES))
        with adapter.send(request, timeout=limits, **environment) as response:
            body = _read_body(response, deadline)
            return RawResponse(status=response.status_code, headers=response.headers, body=body)

    try:
        return run_within(within, exchange)
    except TimeoutError:
        raise AlgunaUnavailable("Alguna did not answer in the time there was. Try again later.") from None
    # A RequestException is an OSError. `requests` doesn't wrap every error of urllib3 and of the modules below. A
    # RuntimeError is raised if the process can't start another thread.
    except (OSError, HTTPError, ValueError, RuntimeError) as exc:
        raise AlgunaUnavailable(
            f"Alguna cannot be reached ({_get_class_names(exc)}). Try again later; if it stays so, check "
            "ALGUNA_PORTAL_API_URL and the way out of your network."
            # Not `from exc`: it contains the request, and its traceback the key. Error reports show both.
        ) from None


def _get_class_names(exc: BaseException) -> str:
    """Return the class names of an exception and of its first cause. Their texts may contain secrets."""
    root = exc
    while root.__context__ is not None:
        root = root.__context__
    return " < ".join(dict.fromkeys([type(exc).__name__, type(root).__name__]))


def _read_body(response: requests.Response, deadline: float) -> bytes:
    body = b""
    # `read1` returns the bytes that have arrived. Other reads wait for a whole chunk.
    while chunk := response.raw.read1(CHUNK, decode_content=True):
        body += chunk
        if len(body) > LARGEST_BODY:
            raise UnexpectedResponse(f"Alguna answered {response.status_code} with more than {LARGEST_BODY} bytes.")
        if monotonic() > deadline:
            raise TimeoutError
    return body


@lru_cache(maxsize=64)
def _get_environment(origin: str, *_proxies: str | None) -> dict[str, Any]:
    """Return proxies and certificates from the environment. This is slow, so it is cached until a variable changes."""
    return {**_get_session().merge_environment_settings(origin, {}, stream=True, verify=None, cert=None)}


_sessions: dict[int, requests.Session] = {}


def _get_session() -> requests.Session:
    """Return the connection pool of this process. A forked child has its own, since it must not share sockets."""
    pid = os.getpid()
    if pid not in _sessions:
        session = requests.Session()
        session.mount("https://", HTTPAdapter(pool_maxsize=MAX_IDLE))
        session.mount("http://", HTTPAdapter(pool_maxsize=MAX_IDLE))
        # Without a lock, which a fork could leave locked forever. If two threads get here at once, one pool is kept.
        _sessions.setdefault(pid, session)
    return _sessions[pid]


# Worker threads


def run_within(seconds: float, function: Callable[[], T]) -> T:
    """Call a function in another thread and return its result; raise `TimeoutError` when the time is up.

    The function then goes on in its thread. A `ThreadPoolExecutor` would wait for it when Python exits.
    """
    future = _DaemonExecutor().submit(function)
    try:
        return future.result(seconds)
    finally:
        # The future refers to an exception whose frames refer to the future: the request would stay in memory.
        del future


def run_in_thread(function: Callable[[], T]) -> Callable[[], Awaitable[T]]:
    """Return an awaitable version of a slow function that blocks neither the event loop nor its executor.

    If the caller is cancelled, the function goes on in its thread.
    """
    # Through asgiref, since Django ties languages and caches to its contexts. Its type asks for a thread pool.
    executor: Any = _DaemonExecutor()
    return sync_to_async(function, thread_sensitive=False, executor=executor)


class _DaemonExecutor(Executor):
    """Calls functions in worker threads, in the caller's context. Python doesn't wait for these threads at exit."""

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        future: Future[T] = Future()
        _get_worker().put(partial(_run, future, partial(copy_context().run, function, *args, **kwargs)))
        return future


def _run(future: "Future[T]", function: Callable[[], T]) -> None:
    # From here on, the future can't be cancelled any more.
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except BaseException as exc:  # noqa: BLE001  (the caller raises it)
        future.set_exception(exc)


# The task queues of idle workers, by process: a forked child has none of its parent's threads.
_idle: dict[int, list["SimpleQueue[Task]"]] = {}


def _get_worker() -> "SimpleQueue[Task]":
    """Return the task queue of an idle or new worker thread."""
    idle = _idle.setdefault(os.getpid(), [])
    try:
        return idle.pop()
    except IndexError:
        tasks: SimpleQueue[Task] = SimpleQueue()
        Thread(target=_work, args=(tasks, idle), name="alguna_portal", daemon=True).start()
        return tasks


def _work(tasks: "SimpleQueue[Task]", idle: list[Any]) -> None:
    while True:
        tasks.get()()
        if len(idle) >= MAX_IDLE:
            return
        idle.append(tasks)
