"""The signals: one a click, with the arguments that are documented, and with no credential in any of them."""

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
from tests.conftest import Alguna
from tests.support.emails import press

BILLING = reverse("alguna_portal:billing")
SIGNALS = {name: each for name, each in vars(signals).items() if isinstance(each, Signal)}

Heard = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """All signals that are sent, by name, with their arguments."""
    told: Heard = []

    def listener(name: str) -> Callable[..., None]:
        def listen(*, signal: Signal, **arguments: Any) -> None:
            told.append((name, arguments))

        return listen

    listeners = {name: listener(name) for name in SIGNALS}
    for name, each in SIGNALS.items():
        each.connect(listeners[name])
    yield told
    for name, each in SIGNALS.items():
        each.disconnect(listeners[name])


def documented() -> dict[str, set[str]]:
    """The arguments that the module's docstring names for each signal."""
    (_, *entries) = re.split(r"^(?=\w+ {4,}\S)", (signals.__doc__ or "").rpartition("\n\n")[0], flags=re.MULTILINE)
    return {entry.split()[0]: set(re.findall(r"`([a-z_]+)`", entry)) for entry in entries}


def click(user: User, query: str = "") -> Any:
    """Click on Billing."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client.get(BILLING + query)


def only(heard: Heard, name: str) -> dict[str, Any]:
    """The arguments of the one signal that was sent; how long it took is left to be looked at, and forgotten."""
    ((sent, arguments),) = heard
    assert sent == name
    assert arguments.keys() - {"sender"} == documented()[name]
    heard.clear()
    return arguments


def lasting(arguments: dict[str, Any]) -> dict[str, Any]:
    """Take the seconds away, which are few."""
    assert 0 <= arguments.pop("seconds") < 60
    return arguments


def test_every_signal_is_documented() -> None:
    """And nothing else is."""
    assert documented().keys() == SIGNALS.keys()
    assert all(documented().values())


def test_a_click_tells_who_for_whom_how_and_that_the_next_one_met_the_same_session(
    alguna: Alguna, manager: User, acme: Customer, heard: Heard
) -> None:
    """Once each."""
    for reused in (False, True):
        click(manager)
        assert lasting(only(heard, "portal_opened")) == {
            "sender": Customer,
            "customer": acme,
            "user": manager,
            "link": None,
            "via": "view",
            "role": "manager",
            "reused": reused,
        }


@pytest.mark.parametrize(
    ("status", "outcome", "error"),
    [(503, "unavailable", "AlgunaUnavailable"), (401, "failed", "AuthenticationFailed")],
)
def test_a_click_that_failed_tells_why(
    alguna: Alguna, viewer: User, acme: Customer, heard: Heard, status: int, outcome: str, error: str
) -> None:
    """By names."""
    alguna.fail(status)
    click(viewer)
    assert lasting(only(heard, "portal_failed")) == {
        "sender": Customer,
        "customer": acme,
        "user": viewer,
        "link": None,
        "via": "view",
        "role": "viewer",
        "outcome": outcome,
        "error": error,
    }


def test_settings_that_cannot_be_used_are_told_too(
    settings: Settings, alguna: Alguna, manager: User, heard: Heard
) -> None:
    """Though the exception goes on."""
    settings.ALGUNA_PORTAL_API_KEY = ""
    assert click(manager).status_code == 500
    told = only(heard, "portal_failed")
    assert (told["outcome"], told["error"]) == ("failed", "ImproperlyConfigured")


def test_who_may_not_is_told_without_a_customer_or_a_time(alguna: Alguna, stranger: User, heard: Heard) -> None:
    """Nobody was asked."""
    click(stranger)
    assert only(heard, "portal_failed") == {
        "sender": Customer,
        "customer": None,
        "user": stranger,
        "link": None,
        "via": "view",
        "role": "",
        "seconds": None,
        "outcome": "denied",
        "error": "",
    }


def test_what_opens_nothing_tells_nothing(alguna: Alguna, manager: User, umbrella: Customer, heard: Heard) -> None:
    """A visitor who signs in first, a prefetch, a HEAD, a choice that is still to be made."""
    Client().get(BILLING)
    client = Client()
    client.force_login(manager)
    client.get(BILLING, headers={"Sec-Purpose": "prefetch"})
    client.head(BILLING)
    Membership.objects.create(user=manager, customer=umbrella)
    client.get(BILLING)
    assert heard == []


def test_a_mailed_link_tells_of_its_mail_of_each_press_and_of_its_failures(
    alguna: Alguna, customer: Customer, heard: Heard
) -> None:
    """With the link, and without a user."""
    link = send_link(customer, role="viewer")
    assert only(heard, "link_sent") == {"sender": PortalLink, "link": link}
    whose = {"sender": Customer, "customer": customer, "user": None, "link": link, "via": "link", "role": "viewer"}
    press(link)
    assert lasting(only(heard, "portal_opened")) == whose | {"reused": False}
    alguna.fail(503)
    press(link)
    assert lasting(only(heard, "portal_failed")) == whose | {"outcome": "unavailable", "error": "AlgunaUnavailable"}
    link.revoke()
    press(link)
    assert only(heard, "portal_failed") == whose | {"seconds": None, "outcome": "denied", "error": ""}


@pytest.mark.django_db
@pytest.mark.parametrize("open_it", [open_session, async_to_sync(aopen_session)])
def test_code_that_opens_a_portal_tells_the_same(alguna: Alguna, heard: Heard, open_it: Callable[..., Any]) -> None:
    """Awaited or not; of a customer without a row, and for nobody."""
    org = Customer(alias="org-7")
    open_it(org)
    told = lasting(only(heard, "portal_opened"))
    assert told.pop("customer") is org
    whose = {"sender": Customer, "user": None, "link": None, "via": "api", "role": "manager"}
    assert told == whose | {"reused": False}
    alguna.fail(401)
    with pytest.raises(AlgunaError):
        open_it(org)
    told = lasting(only(heard, "portal_failed"))
    assert told.pop("customer") is org
    assert told == whose | {"outcome": "failed", "error": "AuthenticationFailed"}


def test_a_customer_that_came_to_be_in_alguna_is_told_once(
    fresh_alguna: FakeAlguna, acme: Customer, umbrella: Customer, heard: Heard
) -> None:
    """Created or found there; one that is known already is no news."""
    fresh_alguna.add_customer("umbrella-2")
    for customer, created in ((acme, True), (umbrella, False)):
        customer.currency = "EUR"
        provision(customer)
        provision(customer)
        assert only(heard, "customer_provisioned") == {"sender": Customer, "customer": customer, "created": created}
        assert customer.customer_id


def test_without_an_audit_trail_the_signals_are_sent_all_the_same(
    settings: Settings, alguna: Alguna, manager: User, stranger: User, heard: Heard
) -> None:
    """Whoever keeps a trail of their own needs them."""
    settings.ALGUNA_PORTAL_AUDIT = False
    click(manager)
    click(stranger)
    assert [name for name, _ in heard] == ["portal_opened", "portal_failed"]
    assert not PortalAccess.objects.exists()


def test_receivers_that_raise_stop_nobody(
    alguna: Alguna, manager: User, stranger: User, customer: Customer, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the click, nor the mail, nor the other receivers; Django logs them."""

    def fall_over(**_: Any) -> None:
        raise RuntimeError("a receiver of the host's")

    for each in SIGNALS.values():
        each.connect(fall_over)
    try:
        assert click(manager)["Location"] == alguna.url(1)
        alguna.fail(503)
        assert click(manager, "?fresh=1").status_code == 503
        assert click(stranger).status_code == 403
        assert send_link(customer).sent_at
    finally:
        for each in SIGNALS.values():
            each.disconnect(fall_over)
    assert [name for name, _ in heard] == ["portal_opened", "portal_failed", "portal_failed", "link_sent"]
    assert [each.levelname for each in caplog.records if each.name == "django.dispatch"] == ["ERROR"] * 4


def within(thing: Any, seen: dict[int, Any]) -> Iterator[str]:
    """All texts that can be reached from an argument without calling anything."""
    if id(thing) in seen or isinstance(thing, type | int | float):
        return
    seen[id(thing)] = thing  # kept, so that no other gets its place in memory
    yield repr(thing)
    if isinstance(thing, dict):
        for pair in thing.items():
            yield from within(pair, seen)
    elif isinstance(thing, list | tuple | set):
        for each in thing:
            yield from within(each, seen)
    elif not isinstance(thing, str) and hasattr(thing, "__dict__"):
        yield from within(vars(thing), seen)


def test_no_argument_leads_to_a_portal_or_is_a_mailed_link(
    alguna: Alguna, manager: User, customer: Customer, heard: Heard
) -> None:
    """Not in its texts, nor in what is pickled for a task, nor behind its attributes."""
    opened = click(manager)["Location"]
    click(manager)
    link = send_link(customer)
    press(link)
    alguna.change = {"url": "https://elsewhere.example/hs/token9"}
    click(manager, "?fresh=1")
    press(link)
    assert [name for name, _ in heard] == ["portal_opened"] * 2 + ["link_sent", "portal_opened"] + ["portal_failed"] * 2
    for _, arguments in heard:
        held = "\n".join(within(arguments, {})) + repr(pickle.dumps(arguments))
        assert "customer" in held
        for secret in (opened, "hs/token", "secret-of-the-tests", f"{link.key.hex}."):
            assert secret not in held
