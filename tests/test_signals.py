"""Signals: the documented arguments, without credentials."""

import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.dispatch import Signal
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from alguna_portal import signals
from alguna_portal.customers import provision
from alguna_portal.exceptions import AlgunaError
from alguna_portal.links import send_link
from alguna_portal.models import Customer, Membership, PortalAccess, PortalLink
from alguna_portal.sessions import aopen_session, open_session
from alguna_portal.testing import FakeAlguna
from tests.conftest import FakeApi
from tests.support.emails import submit_link

BILLING = reverse("alguna_portal:billing")
SIGNALS = {name: each for name, each in vars(signals).items() if isinstance(each, Signal)}

Received = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def received() -> Iterator[Received]:
    """All signals that were sent, by name, with their arguments."""
    sent: Received = []

    def listener(name: str) -> Callable[..., None]:
        def listen(*, signal: Signal, **arguments: Any) -> None:
            sent.append((name, arguments))

        return listen

    listeners = {name: listener(name) for name in SIGNALS}
    for name, each in SIGNALS.items():
        each.connect(listeners[name])
    yield sent
    for name, each in SIGNALS.items():
        each.disconnect(listeners[name])


def get_documented_arguments() -> dict[str, set[str]]:
    """Return the arguments of each signal in the module's docstring."""
    (_, *entries) = re.split(r"^(?=\w+ {4,}\S)", (signals.__doc__ or "").rpartition("\n\n")[0], flags=re.MULTILINE)
    return {entry.split()[0]: set(re.findall(r"`([a-z_]+)`", entry)) for entry in entries}


def click(user: User, query: str = "") -> Any:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client.get(BILLING + query)


def pop_only(received: Received, name: str) -> dict[str, Any]:
    """Return the arguments of the only signal, and clear the list."""
    ((sent, arguments),) = received
    assert sent == name
    assert arguments.keys() - {"sender"} == get_documented_arguments()[name]
    received.clear()
    return arguments


def without_seconds(arguments: dict[str, Any]) -> dict[str, Any]:
    assert 0 <= arguments.pop("seconds") < 60
    return arguments


def create_arguments(
    customer: Customer | None, user: User | None, role: str = "manager", **more: Any
) -> dict[str, Any]:
    """Return the arguments of a signal for the Billing page, without the seconds."""
    base = {"sender": Customer, "customer": customer, "user": user, "role": role, "link": None, "via": "view"}
    return base | more


def test_every_signal_is_documented() -> None:
    assert get_documented_arguments().keys() == SIGNALS.keys()
    assert all(get_documented_arguments().values())


def test_portal_opened(alguna: FakeApi, manager: User, acme: Customer, received: Received) -> None:
    for reused in (False, True):
        click(manager)
        expected = create_arguments(acme, manager, reused=reused)
        assert without_seconds(pop_only(received, "portal_opened")) == expected


@pytest.mark.parametrize(
    ("status", "outcome", "error"),
    [(503, "unavailable", "AlgunaUnavailable"), (401, "failed", "AuthenticationFailed")],
)
def test_portal_failed(
    alguna: FakeApi, viewer: User, acme: Customer, received: Received, status: int, outcome: str, error: str
) -> None:
    alguna.fail(status)
    click(viewer)
    expected = create_arguments(acme, viewer, "viewer", outcome=outcome, error=error)
    assert without_seconds(pop_only(received, "portal_failed")) == expected


def test_portal_failed_by_invalid_settings(
    settings: Settings, alguna: FakeApi, manager: User, received: Received
) -> None:
    settings.ALGUNA_PORTAL_API_KEY = ""
    assert click(manager).status_code == 500
    arguments = pop_only(received, "portal_failed")
    assert (arguments["outcome"], arguments["error"]) == ("failed", "ImproperlyConfigured")


def test_portal_failed_by_denied_access(alguna: FakeApi, non_member: User, received: Received) -> None:
    click(non_member)
    expected = create_arguments(None, non_member, "", seconds=None, outcome="denied", error="")
    assert pop_only(received, "portal_failed") == expected


def test_requests_that_open_no_portal_send_no_signal(
    alguna: FakeApi, manager: User, umbrella: Customer, received: Received
) -> None:
    Client().get(BILLING)
    client = Client()
    client.force_login(manager)
    client.get(BILLING, headers={"Sec-Purpose": "prefetch"})
    client.head(BILLING)
    Membership.objects.create(user=manager, customer=umbrella)
    client.get(BILLING)
    assert received == []


def test_signals_of_a_mailed_link(alguna: FakeApi, customer: Customer, received: Received) -> None:
    link = send_link(customer, role="viewer")
    assert pop_only(received, "link_sent") == {"sender": PortalLink, "link": link}
    common = {"sender": Customer, "customer": customer, "user": None, "link": link, "via": "link", "role": "viewer"}
    submit_link(link)
    assert without_seconds(pop_only(received, "portal_opened")) == common | {"reused": False}
    alguna.fail(503)
    submit_link(link)
    assert without_seconds(pop_only(received, "portal_failed")) == common | {
        "outcome": "unavailable",
        "error": "AlgunaUnavailable",
    }
    link.revoke()
    submit_link(link)
    assert pop_only(received, "portal_failed") == common | {"seconds": None, "outcome": "denied", "error": ""}


@pytest.mark.django_db
@pytest.mark.parametrize("open_it", [open_session, async_to_sync(aopen_session)])
def test_signals_of_open_session(alguna: FakeApi, received: Received, open_it: Callable[..., Any]) -> None:
    org = Customer(alias="org-7")
    open_it(org)
    arguments = without_seconds(pop_only(received, "portal_opened"))
    assert arguments.pop("customer") is org
    common = {"sender": Customer, "user": None, "link": None, "via": "api", "role": "manager"}
    assert arguments == common | {"reused": False}
    alguna.fail(401)
    with pytest.raises(AlgunaError):
        open_it(org)
    arguments = without_seconds(pop_only(received, "portal_failed"))
    assert arguments.pop("customer") is org
    assert arguments == common | {"outcome": "failed", "error": "AuthenticationFailed"}


def test_customer_provisioned(empty_fake: FakeAlguna, acme: Customer, umbrella: Customer, received: Received) -> None:
    empty_fake.add_customer("umbrella-2")
    for customer, created in ((acme, True), (umbrella, False)):
        customer.currency = "EUR"
        provision(customer)
        provision(customer)
        assert pop_only(received, "customer_provisioned") == {
            "sender": Customer,
            "customer": customer,
            "created": created,
        }
        assert customer.customer_id


def test_signals_are_sent_without_the_audit_trail(
    settings: Settings, alguna: FakeApi, manager: User, non_member: User, received: Received
) -> None:
    settings.ALGUNA_PORTAL_AUDIT = False
    click(manager)
    click(non_member)
    assert [name for name, _ in received] == ["portal_opened", "portal_failed"]
    assert not PortalAccess.objects.exists()


def test_exceptions_of_receivers_are_logged_and_ignored(
    alguna: FakeApi,
    manager: User,
    non_member: User,
    customer: Customer,
    received: Received,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fall_over(**_: Any) -> None:
        raise RuntimeError("a receiver of the host's")

    for each in SIGNALS.values():
        each.connect(fall_over)
    try:
        assert click(manager)["Location"] == alguna.url(1)
        alguna.fail(503)
        assert click(manager, "?fresh=1").status_code == 503
        assert click(non_member).status_code == 403
        assert send_link(customer).sent_at
    finally:
        for each in SIGNALS.values():
            each.disconnect(fall_over)
    assert [name for name, _ in received] == ["portal_opened", "portal_failed", "portal_failed", "link_sent"]
    assert [each.levelname for each in caplog.records if each.name == "django.dispatch"] == ["ERROR"] * 4


def get_texts(thing: Any, seen: dict[int, Any]) -> Iterator[str]:
    """Yield all texts that can be reached from an argument without a call."""
    if id(thing) in seen or isinstance(thing, type | int | float):
        return
    seen[id(thing)] = thing  # kept, so that no other gets its place in memory
    yield repr(thing)
    if isinstance(thing, dict):
        for pair in thing.items():
            yield from get_texts(pair, seen)
    elif isinstance(thing, list | tuple | set):
        for each in thing:
            yield from get_texts(each, seen)
    elif not isinstance(thing, str) and hasattr(thing, "__dict__"):
        yield from get_texts(vars(thing), seen)


def test_arguments_contain_no_credentials(
    alguna: FakeApi, manager: User, customer: Customer, received: Received
) -> None:
    """Neither their texts, nor their pickles, nor their attributes."""
    opened = click(manager)["Location"]
    click(manager)
    link = send_link(customer)
    submit_link(link)
    alguna.change = {"url": "https://elsewhere.example/hs/token9"}
    click(manager, "?fresh=1")
    submit_link(link)
    assert [name for name, _ in received] == ["portal_opened"] * 2 + ["link_sent", "portal_opened"] + [
        "portal_failed"
    ] * 2
    for _, arguments in received:
        content = "\n".join(get_texts(arguments, {})) + repr(pickle.dumps(arguments))
        assert "customer" in content
        for secret in (opened, "hs/token", "secret-of-the-tests", f"{link.key.hex}."):
            assert secret not in content
