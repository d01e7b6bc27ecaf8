"""Messages over HTTP, by the one thread that sends them."""

import threading
import time
from typing import Any

import pytest

from alguna_portal.sandbox.engine import faults
from alguna_portal.sandbox.engine.events import create_message
from alguna_portal.sandbox.engine.faults import DeliveryFault
from alguna_portal.sandbox.engine.types import JSON, new_state
from alguna_portal.sandbox.web import webhook_delivery
from tests.sandbox.receiving import SECRET, Receiver

NAME = "alguna-sandbox-webhook"


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    """Let nothing take longer than it must."""
    settings.ALGUNA_SANDBOX_WEBHOOK_SCHEDULE = [0.01, 0.02, 0.03]


def send(url: str, *numbers: int, fault: DeliveryFault | None = None) -> None:
    """Send messages that differ by number."""
    for number in numbers:
        message = create_message({"type": "test", "number": number})
        webhook_delivery.send_message(message, url=url, key=b"x", fault=fault or DeliveryFault())


def ids(receiver: Receiver) -> list[str]:
    return [headers["svix-id"] for headers, _ in receiver.every()]


def test_a_receiver_that_fails_is_told_again_until_it_does_not(receiver: Receiver) -> None:
    """Under one id, and at its own address."""
    receiver.statuses = [500, 302, 503]
    send(receiver.url, 1)
    webhook_delivery.wait_until_delivered()
    got = ids(receiver)
    assert len(got) == 4
    assert len(set(got)) == 1


def test_a_receiver_that_takes_too_long_is_told_again(receiver: Receiver, settings: Any) -> None:
    """It may well have understood the first time."""
    settings.ALGUNA_SANDBOX_WEBHOOK_TIMEOUT = 0.2
    slow = threading.Event()
    receiver.meanwhile = lambda: None if slow.is_set() else slow.wait(5)
    send(receiver.url, 1)
    first = receiver.get()[0]["svix-id"]
    again = receiver.get()[0]["svix-id"]
    slow.set()
    webhook_delivery.wait_until_delivered()
    assert first == again


def test_where_nobody_is_a_message_is_given_up(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """After as many tries as the schedule has, and one."""
    send("http://127.0.0.1:1/webhook", 1)
    webhook_delivery.wait_until_delivered()
    assert caplog.text.count("did not arrive") == 4
    assert caplog.text.count("given up") == 1


def test_an_address_that_is_none_stops_nothing(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """The next message goes out."""
    send("no address", 1)
    send(receiver.url, 2)
    webhook_delivery.wait_until_delivered()
    assert len(ids(receiver)) == 1


def test_an_error_of_ours_is_logged_and_ends_its_own_message_alone(
    receiver: Receiver, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The thread goes on."""
    settings.ALGUNA_SANDBOX_WEBHOOK_TIMEOUT = "soon"
    send(receiver.url, 1)
    webhook_delivery.wait_until_delivered()
    assert "test (msg_" in caplog.text
    assert "could not be sent" in caplog.text
    settings.ALGUNA_SANDBOX_WEBHOOK_TIMEOUT = 5
    send(receiver.url, 2)
    webhook_delivery.wait_until_delivered()
    assert len(ids(receiver)) == 1


def test_threads_do_not_pile_up(receiver: Receiver) -> None:
    """A hundred messages, one thread that nobody waits for; and none when all is said."""
    doors = threading.Event()
    receiver.meanwhile = lambda: doors.wait(5)
    begun = time.monotonic()
    send(receiver.url, *range(100))
    assert time.monotonic() - begun < 1
    receiver.get()
    (worker,) = [thread for thread in threading.enumerate() if thread.name == NAME]
    assert worker.daemon
    doors.set()
    webhook_delivery.wait_until_delivered()
    worker.join(5)
    assert not worker.is_alive()
    assert len(set(ids(receiver))) == 99


def test_a_duplicate_comes_at_the_same_moment(receiver: Receiver) -> None:
    """The second is there before the first is answered."""
    both = threading.Barrier(2)
    receiver.meanwhile = lambda: both.wait(5)
    send(receiver.url, 1, fault=DeliveryFault(delays=[0, 0]))
    webhook_delivery.wait_until_delivered()
    assert not both.broken
    assert len(ids(receiver)) == 2


def test_what_is_late_is_waited_for(receiver: Receiver) -> None:
    """Meanwhile others go ahead."""
    send(receiver.url, 1, fault=DeliveryFault(delays=[0.1]))
    send(receiver.url, 2)
    webhook_delivery.wait_until_delivered()
    assert [body[-2:] for _, body in receiver.every()] == [b"2}", b"1}"]


def test_who_is_in_a_hurry_waits_for_nothing(receiver: Receiver) -> None:
    """Neither for what is late nor for what is held back; the order is that of the due times. Later ones wait again."""
    send(receiver.url, 1, fault=DeliveryFault(delays=[60]))
    send(receiver.url, 2, fault=DeliveryFault(is_held=True))
    with pytest.raises(TimeoutError, match="2 webhook messages still wait"):
        webhook_delivery.wait_until_delivered(0.05)
    webhook_delivery.wait_until_delivered(5, hurry=True)
    assert [body[-2:] for _, body in receiver.every()] == [b"2}", b"1}"]
    send(receiver.url, 3, fault=DeliveryFault(delays=[60]))
    with pytest.raises(TimeoutError):
        webhook_delivery.wait_until_delivered(0.05)


def test_by_hand_nothing_is_sent_by_itself(receiver: Receiver) -> None:
    """What waits at the end is not sent later either."""
    sent = []

    def transport(url: str, body: bytes, headers: Any) -> int:
        sent.append(body)
        return 204

    with webhook_delivery.manual_delivery(transport) as outbox:
        send(receiver.url, 1, 2)
        assert sent == []
        first, second = outbox.waiting
        outbox.deliver(second)
    send(receiver.url, 3)
    webhook_delivery.wait_until_delivered()
    assert [body[-2:] for body in sent] == [b"2}"]
    assert len(ids(receiver)) == 1
    assert outbox.waiting == [first]


def test_the_weather_meets_what_is_announced(
    receiver: Receiver, db: None, django_capture_on_commit_callbacks: Any
) -> None:
    """Three events, the second lost, as the seed has it."""
    state = new_state()
    events: list[JSON] = [{"type": "test", "number": number} for number in range(3)]
    faults.set_fault(state, faults.parse_fault("webhook-loss=1; webhook-times=1"))
    with django_capture_on_commit_callbacks(execute=True):
        webhook_delivery.send_events(state, events)
    webhook_delivery.wait_until_delivered()
    assert [body[-2:] for _, body in receiver.every()] == [b"1}", b"2}"]
    assert SECRET.encode() not in repr(state).encode()
