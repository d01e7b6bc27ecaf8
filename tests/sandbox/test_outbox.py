"""The outbox: order, repetition and simulated faults of deliveries, with a fixed clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
import time_machine
from standardwebhooks import WebhookVerificationError

from alguna_portal.sandbox.engine.events import HELD_SECONDS, Message, Outbox, decode_secret
from alguna_portal.sandbox.engine.faults import DeliveryFault
from tests.sandbox.webhook_receiver import SECRET, verify_message

URL = "https://app.test/billing/webhook/"


@dataclass
class FakeReceiver:
    """A transport that records messages and returns `responses` in order, then 204, with its outbox and clock."""

    responses: list[int | OSError] = field(default_factory=list)
    sent: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    now: float = 0.0
    outbox: Outbox = field(init=False)

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.send, clock=lambda: self.now)

    def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        assert url == URL
        self.sent.append((body.decode(), headers))
        response = self.responses.pop(0) if self.responses else 204
        if isinstance(response, OSError):
            raise response
        return response

    def add(self, name: str, fault: DeliveryFault | None = None, *, retry_delays: tuple[float, ...] = (1, 2)) -> None:
        message = Message(id=f"msg_{name}", type="subscription.updated", body=name.encode())
        self.outbox.add(
            message, url=URL, key=decode_secret(SECRET), fault=fault or DeliveryFault(), retry_delays=retry_delays
        )

    @property
    def waiting(self) -> list[tuple[str, float]]:
        """Return the waiting messages with their due times."""
        return [(each.message.body.decode(), each.due) for each in self.outbox.waiting]

    def get_sent_names(self) -> str:
        """Return the names of the sent messages in order."""
        return "".join(name for name, _ in self.sent)


@pytest.fixture
def receiver() -> FakeReceiver:
    return FakeReceiver()


def test_arrived_message_is_removed(receiver: FakeReceiver) -> None:
    receiver.add("a")
    (delivery,) = receiver.outbox.waiting
    assert receiver.outbox.deliver(delivery) == 204
    assert receiver.outbox.waiting == []
    assert receiver.get_sent_names() == "a"


@pytest.mark.parametrize("failure", [500, 404, 302, 199, 410, ConnectionRefusedError("refused"), TimeoutError("late")])
def test_failed_attempt_is_repeated_after_each_delay(receiver: FakeReceiver, failure: int | OSError) -> None:
    """Without a response, the status is None."""
    receiver.responses = [failure, failure]
    receiver.add("a")
    expected = failure if isinstance(failure, int) else None
    for due in (1, 3):
        assert receiver.outbox.deliver(receiver.outbox.waiting[0]) == expected
        assert receiver.waiting == [("a", due)]
        receiver.now = due
    assert receiver.outbox.deliver(receiver.outbox.waiting[0]) == 204
    assert receiver.waiting == []


def test_message_is_given_up_after_the_last_delay(receiver: FakeReceiver, caplog: pytest.LogCaptureFixture) -> None:
    receiver.responses = [500] * 9
    receiver.add("a")
    receiver.outbox.deliver_all()
    assert receiver.get_sent_names() == "aaa"
    messages = [record.getMessage() for record in caplog.records]
    about = f"subscription.updated (msg_a) did not arrive at {URL}"
    assert messages == [
        f"{about}, again in 1 seconds: 500",
        f"{about}, again in 2 seconds: 500",
        f"{about}, given up: 500",
    ]


def test_each_attempt_has_the_same_id_and_a_new_signature(receiver: FakeReceiver) -> None:
    receiver.responses = [500]
    receiver.add('{"of": "one message"}')
    with time_machine.travel(datetime(2026, 4, 1, 10, tzinfo=UTC), tick=False) as clock:
        receiver.outbox.deliver(receiver.outbox.waiting[0])
        clock.shift(600)
        receiver.outbox.deliver_all()
        (body, first), (again, second) = receiver.sent
        assert body == again
        assert first["svix-id"] == second["svix-id"] == 'msg_{"of": "one message"}'
        assert int(second["svix-timestamp"]) - int(first["svix-timestamp"]) == 600
        assert verify_message(again, second) == {"of": "one message"}
        with pytest.raises(WebhookVerificationError, match="too old"):
            verify_message(body, first)


def test_messages_are_sent_in_the_order_of_their_due_times(receiver: FakeReceiver) -> None:
    receiver.responses = [500]
    receiver.add("a")
    receiver.add("b", DeliveryFault(delays=[0.5]))
    receiver.add("c")
    assert receiver.waiting == [("a", 0), ("c", 0), ("b", 0.5)]
    receiver.outbox.deliver_all()
    assert receiver.get_sent_names() == "acba"


def test_duplicates_have_one_id_and_are_repeated_separately(receiver: FakeReceiver) -> None:
    receiver.responses = [204, 500]
    receiver.add("a", DeliveryFault(delays=[0, 0]))
    receiver.outbox.deliver_all()
    assert receiver.get_sent_names() == "aaa"
    assert {headers["svix-id"] for _, headers in receiver.sent} == {"msg_a"}


def test_held_message_is_sent_after_the_next_one(receiver: FakeReceiver) -> None:
    receiver.add("a", DeliveryFault(delays=[0, 0], is_held=True))
    assert receiver.waiting == [("a", HELD_SECONDS)] * 2
    receiver.now = 0.5
    receiver.add("b")
    receiver.outbox.deliver(receiver.outbox.waiting[0])
    assert receiver.get_sent_names() == "b"
    assert receiver.waiting == [("a", 0.5)] * 2


def test_held_message_is_not_released_by_an_earlier_one_or_by_its_copy(receiver: FakeReceiver) -> None:
    receiver.add("a")
    receiver.add("b", DeliveryFault(delays=[0, 0], is_held=True))
    receiver.outbox.deliver(receiver.outbox.waiting[0])
    receiver.outbox.deliver(receiver.outbox.waiting[1])
    assert receiver.get_sent_names() == "ab"
    assert receiver.waiting == [("b", HELD_SECONDS)]


def test_lost_and_discarded_messages_are_not_sent(receiver: FakeReceiver, caplog: pytest.LogCaptureFixture) -> None:
    receiver.add("a", DeliveryFault(delays=()))
    assert "msg_a" in caplog.text
    assert receiver.outbox.waiting == []
    receiver.add("b")
    (delivery,) = receiver.outbox.waiting
    receiver.outbox.discard(delivery)
    receiver.outbox.discard(delivery)
    receiver.outbox.deliver_all()
    assert receiver.sent == []


def test_arrived_message_can_be_sent_again(receiver: FakeReceiver) -> None:
    receiver.responses = [204, 500]
    receiver.add("a")
    (delivery,) = receiver.outbox.waiting
    receiver.outbox.deliver(delivery)
    assert receiver.outbox.deliver(delivery) == 500
    assert receiver.outbox.waiting == []


def test_other_exceptions_of_the_transport_are_raised(receiver: FakeReceiver) -> None:
    """Only OSError means that there is no response."""
    outbox = Outbox(lambda url, body, headers: 1 // 0)
    outbox.add(Message(id="msg_a", type="a", body=b"a"), url=URL, key=b"x", fault=DeliveryFault(), retry_delays=())
    with pytest.raises(ZeroDivisionError):
        outbox.deliver_all()


def test_repr_of_a_delivery_does_not_contain_the_key(receiver: FakeReceiver) -> None:
    receiver.add("a")
    assert "key" not in repr(receiver.outbox.waiting)
