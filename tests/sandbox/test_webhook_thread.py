"""Webhook delivery over HTTP by the thread."""

import threading
import time
from typing import Any

import pytest

from alguna_portal.sandbox.engine import faults
from alguna_portal.sandbox.engine.events import create_message
from alguna_portal.sandbox.engine.faults import DeliveryFault
from alguna_portal.sandbox.engine.types import JSON, new_state
from alguna_portal.sandbox.web import webhook_delivery
from tests.sandbox.webhook_receiver import SECRET, WebhookReceiver

THREAD_NAME = "alguna-sandbox-webhook"


@pytest.fixture(autouse=True)
def short_schedule(settings: Any) -> None:
    settings.ALGUNA_SANDBOX_WEBHOOK_SCHEDULE = [0.01, 0.02, 0.03]


def send(url: str, *numbers: int, fault: DeliveryFault | None = None) -> None:
    """Send numbered messages."""
    for number in numbers:
        message = create_message({"type": "test", "number": number})
        webhook_delivery.send_message(message, url=url, key=b"x", fault=fault or DeliveryFault())


def deliver(url: str, *numbers: int, fault: DeliveryFault | None = None) -> None:
    send(url, *numbers, fault=fault)
    webhook_delivery.wait_until_delivered()


def get_ids(receiver: WebhookReceiver) -> list[str]:
    return [headers["svix-id"] for headers, _ in receiver.get_all()]


def test_failed_attempts_are_repeated(receiver: WebhookReceiver) -> None:
    """Redirects aren't followed."""
    receiver.statuses = [500, 302, 503]
    deliver(receiver.url, 1)
    received = get_ids(receiver)
    assert len(received) == 4
    assert len(set(received)) == 1


def test_timeout_is_repeated(receiver: WebhookReceiver, settings: Any) -> None:
    settings.ALGUNA_SANDBOX_WEBHOOK_TIMEOUT = 0.2
    may_finish = threading.Event()
    receiver.before_response = lambda: None if may_finish.is_set() else may_finish.wait(5)
    send(receiver.url, 1)
    first = receiver.get()[0]["svix-id"]
    again = receiver.get()[0]["svix-id"]
    may_finish.set()
    webhook_delivery.wait_until_delivered()
    assert first == again


def test_message_is_given_up_after_the_schedule(receiver: WebhookReceiver, caplog: pytest.LogCaptureFixture) -> None:
    deliver("http://127.0.0.1:1/webhook", 1)
    assert caplog.text.count("did not arrive") == 4
    assert caplog.text.count("given up") == 1


def test_invalid_url_does_not_stop_the_thread(receiver: WebhookReceiver, caplog: pytest.LogCaptureFixture) -> None:
    send("no address", 1)
    deliver(receiver.url, 2)
    assert len(get_ids(receiver)) == 1


def test_unexpected_exception_is_logged_and_discards_only_its_message(
    receiver: WebhookReceiver, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ALGUNA_SANDBOX_WEBHOOK_TIMEOUT = "soon"
    deliver(receiver.url, 1)
    assert "test (msg_" in caplog.text
    assert "could not be sent" in caplog.text
    settings.ALGUNA_SANDBOX_WEBHOOK_TIMEOUT = 5
    deliver(receiver.url, 2)
    assert len(get_ids(receiver)) == 1


def test_one_thread_sends_all_messages_and_ends(receiver: WebhookReceiver) -> None:
    may_respond = threading.Event()
    receiver.before_response = lambda: may_respond.wait(5)
    start = time.monotonic()
    send(receiver.url, *range(100))
    assert time.monotonic() - start < 1
    receiver.get()
    (worker,) = [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]
    assert worker.daemon
    may_respond.set()
    webhook_delivery.wait_until_delivered()
    worker.join(5)
    assert not worker.is_alive()
    assert len(set(get_ids(receiver))) == 99


def test_simultaneous_duplicate_is_sent_in_parallel(receiver: WebhookReceiver) -> None:
    """It arrives before the response to the first copy."""
    both = threading.Barrier(2)
    receiver.before_response = lambda: both.wait(5)
    deliver(receiver.url, 1, fault=DeliveryFault(delays=[0, 0]))
    assert not both.broken
    assert len(get_ids(receiver)) == 2


def test_delayed_message_is_overtaken(receiver: WebhookReceiver) -> None:
    send(receiver.url, 1, fault=DeliveryFault(delays=[0.1]))
    deliver(receiver.url, 2)
    assert [body[-2:] for _, body in receiver.get_all()] == [b"2}", b"1}"]


def test_hurry_skips_delays_once(receiver: WebhookReceiver) -> None:
    """Messages are sent in the order of their due times."""
    send(receiver.url, 1, fault=DeliveryFault(delays=[60]))
    send(receiver.url, 2, fault=DeliveryFault(is_held=True))
    with pytest.raises(TimeoutError, match="2 webhook messages still wait"):
        webhook_delivery.wait_until_delivered(0.05)
    webhook_delivery.wait_until_delivered(5, hurry=True)
    assert [body[-2:] for _, body in receiver.get_all()] == [b"2}", b"1}"]
    send(receiver.url, 3, fault=DeliveryFault(delays=[60]))
    with pytest.raises(TimeoutError):
        webhook_delivery.wait_until_delivered(0.05)


def test_manual_delivery_sends_nothing_itself(receiver: WebhookReceiver) -> None:
    sent = []

    def transport(url: str, body: bytes, headers: Any) -> int:
        sent.append(body)
        return 204

    with webhook_delivery.manual_delivery(transport) as outbox:
        send(receiver.url, 1, 2)
        assert sent == []
        first, second = outbox.waiting
        outbox.deliver(second)
    deliver(receiver.url, 3)
    assert [body[-2:] for body in sent] == [b"2}"]
    assert len(get_ids(receiver)) == 1
    assert outbox.waiting == [first]


def test_delivery_faults_affect_events(receiver: WebhookReceiver, db: None, on_commit: Any) -> None:
    state = new_state()
    events: list[JSON] = [{"type": "test", "number": number} for number in range(3)]
    faults.set_fault(state, faults.parse_fault("webhook-loss=1; webhook-times=1"))
    with on_commit():
        webhook_delivery.send_events(state, events)
    webhook_delivery.wait_until_delivered()
    assert [body[-2:] for _, body in receiver.get_all()] == [b"1}", b"2}"]
    assert SECRET.encode() not in repr(state).encode()
