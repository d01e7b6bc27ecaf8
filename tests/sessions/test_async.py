"""`aopen_session`: it does the same as `open_session` without blocking the event loop."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from threading import Barrier, current_thread
from time import sleep
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.cache import caches
from django.utils import translation
from pytest_django import Settings

from alguna_portal.api import transport
from alguna_portal.exceptions import AlgunaUnavailable, CustomerUnknown
from alguna_portal.links import send_link
from alguna_portal.models import Customer, PortalAccess
from alguna_portal.sessions import PortalSession, aopen_session, open_session
from alguna_portal.testing import FakeAlguna
from tests.conftest import FakeApi

pytestmark = pytest.mark.django_db(transaction=True)


def test_sessions_are_cached_and_recorded_as_by_open_session(alguna: FakeApi, acme: Customer, manager: User) -> None:
    async def clicks() -> list[str]:
        sessions = [await aopen_session(acme, user=manager) for _ in range(2)]
        sessions.append(await aopen_session(acme, user=manager, fresh=True, role="viewer"))
        sessions.append(await aopen_session(acme, user=manager, role="viewer", fresh=True))
        return [session.url for session in sessions]

    assert async_to_sync(clicks)() == [alguna.url(1), alguna.url(1), alguna.url(2), alguna.url(3)]
    assert open_session(acme, user=manager).url == alguna.url(1)
    rows = PortalAccess.objects.order_by("pk").values_list("outcome", "via", "role", "user_id", "session_id")
    assert list(rows) == [
        ("opened", "api", "manager", manager.pk, "sess1"),
        ("reused", "api", "manager", manager.pk, "sess1"),
        ("opened", "api", "viewer", manager.pk, "sess2"),
        ("opened", "api", "viewer", manager.pk, "sess3"),
        ("reused", "api", "manager", manager.pk, "sess1"),
    ]


@pytest.mark.parametrize("open_it", [open_session, async_to_sync(aopen_session)], ids=["waiting", "async"])
def test_browser_and_link_are_passed_on(alguna: FakeApi, settings: Settings, customer: Customer, open_it: Any) -> None:
    settings.ALGUNA_PORTAL_SESSION_REUSE = "browser"
    link = send_link(customer)
    first = open_it(customer, browser="login-1", via="link", link=link)
    assert open_it(customer, browser="login-1", via="link", link=link).url == first.url
    assert open_it(customer, browser="login-2").url != first.url
    assert [(each.outcome, each.via, each.link) for each in PortalAccess.objects.order_by("pk")] == [
        ("opened", "link", link),
        ("reused", "link", link),
        ("opened", "api", None),
    ]


@pytest.mark.parametrize(("status", "failure"), [(503, AlgunaUnavailable), (404, CustomerUnknown)])
def test_exceptions_are_those_of_open_session(
    alguna: FakeApi, acme: Customer, status: int, failure: type[Exception]
) -> None:
    alguna.fail(status, '{"detail": "no"}')
    with pytest.raises(failure):
        async_to_sync(aopen_session)(acme)
    assert PortalAccess.objects.get().error == failure.__name__


def test_more_calls_run_concurrently_than_an_executor_has_threads(alguna: FakeApi, settings: Settings) -> None:
    """No call to Alguna returns before all have started."""
    count = 40
    settings.ALGUNA_PORTAL_CACHE = "none"
    settings.CACHES = {**settings.CACHES, "none": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    at_alguna = Barrier(count, timeout=20)
    alguna.on_request = at_alguna.wait
    customers = [Customer.objects.create(alias=f"company-{number}", name="Company") for number in range(count)]

    async def all_at_once() -> list[PortalSession]:
        return await asyncio.gather(*(aopen_session(customer) for customer in customers))

    assert len(async_to_sync(all_at_once)()) == count
    assert {body["customer_alias"] for body in alguna.bodies} == {customer.alias for customer in customers}


async def _start(alguna: FakeApi, customer: Customer, **options: Any) -> asyncio.Future[PortalSession]:
    """Start to open a session, and wait for the API call."""
    opening = asyncio.ensure_future(aopen_session(customer, **options))
    while not alguna.requests:
        await asyncio.sleep(0.01)
    return opening


async def _cancel(task: asyncio.Future[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_event_loop_is_not_blocked(alguna: FakeApi, acme: Customer) -> None:
    answer = threading.Event()
    alguna.on_request = lambda: answer.wait(20)

    async def host() -> bool:
        opening = await _start(alguna, acme)
        waits = not opening.done()
        answer.set()
        await opening
        return waits

    assert async_to_sync(host)() is True


def test_a_cancelled_call_still_caches_its_session(alguna: FakeApi, acme: Customer, manager: User) -> None:
    answer = threading.Event()
    alguna.on_request = lambda: answer.wait(20)

    async def host() -> None:
        await _cancel(await _start(alguna, acme, user=manager))

    async_to_sync(host)()
    answer.set()
    for _ in range(200):
        if open_session(acme, user=manager).url == alguna.url(1):
            break
        sleep(0.01)
    assert len(alguna.requests) == 1


def test_a_call_cancelled_before_its_thread_starts_does_not_run() -> None:
    ran: list[int] = []

    async def host() -> None:
        task = asyncio.ensure_future(transport.run_in_thread(lambda: ran.append(1))())
        await _cancel(task)

    async_to_sync(host)()
    assert transport.run_within(5, lambda: "still works") == "still works"
    assert ran == []


def test_a_call_cancelled_in_the_queue_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []
    queue: SimpleQueue[Callable[[], None]] = SimpleQueue()
    monkeypatch.setattr(transport, "_get_worker", lambda: queue)

    async def host() -> None:
        task = asyncio.ensure_future(transport.run_in_thread(lambda: ran.append(1))())
        while queue.empty():
            await asyncio.sleep(0.01)
        await _cancel(task)

    async_to_sync(host)()
    queue.get()()
    assert ran == []


def test_the_thread_has_the_callers_context() -> None:
    """It uses the caller's language and cache connections."""
    seen: list[tuple[str, object]] = []
    cache = caches["default"]

    async def host() -> None:
        await transport.run_in_thread(lambda: seen.append((translation.get_language(), caches["default"])))()

    with translation.override("de"):
        async_to_sync(host)()
    assert seen == [("de", cache)]


def _record_threads(alguna: FakeApi, monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Record the thread of each API call."""
    seen: list[threading.Thread] = []
    make = transport.run_within

    def within(seconds: float, function: Callable[[], Any]) -> Any:
        seen.append(current_thread())
        return make(seconds, function)

    monkeypatch.setattr(transport, "run_within", within)
    return seen


def test_provisioning_uses_the_database_connection_of_the_caller(
    empty_fake: FakeAlguna, acme: Customer, settings: Settings
) -> None:
    settings.ALGUNA_PORTAL_PROVISION_ON_OPEN = True
    acme.currency = "EUR"
    acme.save()
    assert async_to_sync(aopen_session)(acme).url
    acme.refresh_from_db()
    assert acme.customer_id


@pytest.mark.parametrize("kind", ["locmem", "database", "provisioning"])
def test_only_calls_that_may_use_the_database_run_in_djangos_thread(
    alguna: FakeApi, acme: Customer, settings: Settings, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    seen = _record_threads(alguna, monkeypatch)
    if kind == "database":
        settings.ALGUNA_PORTAL_CACHE = "table"
        table = {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "no_such_table"}
        settings.CACHES = {**settings.CACHES, "table": table}
    settings.ALGUNA_PORTAL_PROVISION_ON_OPEN = kind == "provisioning"
    async_to_sync(aopen_session)(acme)
    assert [thread is current_thread() for thread in seen] == [kind != "locmem"]
    # A customer with a known id isn't created.
    seen.clear()
    acme.customer_id = alguna.customer_id
    async_to_sync(aopen_session)(acme, fresh=True)
    assert [thread is current_thread() for thread in seen] == [kind == "database"]
    caches.close_all()
