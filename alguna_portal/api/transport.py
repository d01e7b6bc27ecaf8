"""One HTTP request and its answer, bounded in time and in size. No exception of `requests` leaves it.

The bound in time is a hard one. The timeouts of `requests` hold for each read alone, so a server that sends a
byte now and then could keep a caller for ever, and a name server for half a minute. So the request runs in
another thread, and its caller leaves it behind when time is up.
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor, Future
from contextvars import Context, copy_context
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

# --- from alguna_portal.api.threads

T = TypeVar("T")

IDLE = 32  # kept waiting per process: as many as a threaded worker commonly has threads

Task = Callable[[], None]


def run_within(seconds: float, function: Callable[[], T]) -> T:
    """Return what a function returns, or raise what it raises; raise `TimeoutError` once time is up.

    It then runs on, unheard, in its thread. An executor would not do: its threads are joined when Python ends.
    """
    future: Future[T] = Future()
    _idle_worker().put(partial(_run, future, copy_context(), function))
    try:
        return future.result(seconds)
    finally:
        # The future holds an exception whose frames hold the future: what they know of a request would linger.
        del future


def run_in_thread(function: Callable[[], T]) -> Callable[[], Awaitable[T]]:
    """Make a function that takes long one to await, which keeps neither the event loop waiting nor its executor.

    Awaited in vain, since it is cancelled, it runs on.
    """
    # By asgiref, and not by hand: what Django keeps for each context, languages and caches, is tied to its ways.
    executor: Any = _Aside()  # asgiref says that it wants a pool, and asks no more of it than asyncio does
    return sync_to_async(function, thread_sensitive=False, executor=executor)


class _Aside(Executor):
    """Our threads, as asyncio wants them. What is not shut down, nobody waits for."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Run a function in one of them."""
        future: Future[Any] = Future()
        _idle_worker().put(partial(_run, future, copy_context(), partial(function, *args, **kwargs)))
        return future


def _run(future: "Future[T]", context: Context, function: Callable[[], T]) -> None:
    # From here on whoever waits for it can no longer cancel it, but only go.
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(context.run(function))
    except BaseException as exc:  # noqa: BLE001  (whatever it is, it is the caller's)
        future.set_exception(exc)


# The queues of workers that wait for a task, by process: a forked child has none of its parent's threads.
_idle: dict[int, list["SimpleQueue[Task]"]] = {}


def _idle_worker() -> "SimpleQueue[Task]":
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
        if len(idle) >= IDLE:
            return
        idle.append(tasks)


CONNECTIONS = IDLE  # kept alive per process
LARGEST_BODY = 1024 * 1024  # bytes; what is asked for here never takes more than a few thousand
CHUNK = 64 * 1024
# What changes in the environment of a running process, if anything does.
PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")


@dataclass(frozen=True, kw_only=True)
class RawResponse:
    """What came back, whatever it says."""

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
    """Send one request and return its answer within so many seconds, or raise `AlgunaUnavailable`.

    `timeout` is for the connection and for each read, as in `requests`. Redirects are not followed. Raise
    `UnexpectedResponse` for a body that is too large.
    """
    deadline = monotonic() + within

    def exchange() -> RawResponse:
        session = _connections()
        # What `session.request` does beyond this, it does for redirects and cookies, at twice the cost.
        request = requests.PreparedRequest()
        request.prepare(method=method, url=url, headers=headers, json=json, auth=auth)
        limits = (min(timeout[0], within), min(timeout[1], within))
        with session.get_adapter(url).send(request, stream=True, timeout=limits, **_environment(url)) as response:
            return RawResponse(status=response.status_code, headers=response.headers, body=_body(response, deadline))

    try:
        return run_within(within, exchange)
    except TimeoutError:
        raise AlgunaUnavailable("Alguna did not answer in the time there was. Try again later.") from None
    # RequestException is an OSError. Errors of urllib3, and of the modules below, slip through requests now and then;
    # and a process that can start no more threads has none for Alguna.
    except (OSError, HTTPError, ValueError, RuntimeError) as exc:
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
            raise UnexpectedResponse(f"Alguna answered {response.status_code} with more than {LARGEST_BODY} bytes.")
        if monotonic() > deadline:
            raise TimeoutError
    return body


def _environment(url: str) -> Any:
    """Return what the environment says of the way to an address: proxies and certificates."""
    # By the origin, which decides: what comes after it is another one each time, and may be somebody's alias.
    return _environment_read(urljoin(url, "/"), *map(os.environ.get, PROXIES))


@lru_cache(maxsize=64)
def _environment_read(origin: str, *_: str | None) -> dict[str, Any]:
    """Read the environment, which is costly; again when one of the variables has changed."""
    found: dict[str, Any] = {**_connections().merge_environment_settings(origin, {}, None, None, None)}
    return {name: found[name] for name in ("proxies", "verify", "cert")}


_sessions: dict[int, requests.Session] = {}


def _connections() -> requests.Session:
    """Return this process's one pool. A forked child opens its own, since it must not share sockets."""
    pid = os.getpid()
    if pid not in _sessions:
        session = requests.Session()
        session.mount("https://", HTTPAdapter(pool_maxsize=CONNECTIONS))
        session.mount("http://", HTTPAdapter(pool_maxsize=CONNECTIONS))
        # Without a lock, which a fork could leave locked for ever; of two that come first at once, one is kept.
        _sessions.setdefault(pid, session)
    return _sessions[pid]
