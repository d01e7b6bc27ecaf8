"""Messages that wait: in which order they go, how often, and how long; by a clock that stands still."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
import time_machine
from standardwebhooks import Webhook, WebhookVerificationError

from alguna_portal.sandbox.engine.events import HELD_SECONDS, Message, Outbox, decode_secret
from alguna_portal.sandbox.engine.faults import DeliveryFault
from tests.sandbox.receiving import SECRET

URL = "https://app.test/billing/webhook/"


@dataclass
class Line:
    """What plays the way to the receiver: it notes what was sent, and answers with what it was told, else with 204."""

    answers: list[int | OSError] = field(default_factory=list)
    sent: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    now: float = 0.0
    outbox: Outbox = field(init=False)

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.send, clock=lambda: self.now)

    def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Be a transport."""
        assert url == URL
        self.sent.append((body.decode(), headers))
        answer = self.answers.pop(0) if self.answers else 204
        if isinstance(answer, OSError):
            raise answer
        return answer

    def add(self, name: str, fault: DeliveryFault | None = None, *, waits: tuple[float, ...] = (1, 2)) -> None:
        """Have a message wait."""
        message = Message(id=f"msg_{name}", type="subscription.updated", body=name.encode())
        self.outbox.add(message, url=URL, key=decode_secret(SECRET), fault=fault or DeliveryFault(), retry_delays=waits)

    @property
    def waiting(self) -> list[tuple[str, float]]:
        """Return what waits, with the time when it is due."""
        return [(each.message.body.decode(), each.due) for each in self.outbox.waiting]

    def names(self) -> str:
        """Return what was sent, in its order."""
        return "".join(name for name, _ in self.sent)


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_message_that_arrives_is_sent_once(line: Line) -> None:
    """And waits no more."""
    line.add("a")
    (delivery,) = line.outbox.waiting
    assert line.outbox.deliver(delivery) == 204
    assert line.outbox.waiting == []
    assert line.names() == "a"


@pytest.mark.parametrize("failure", [500, 404, 302, 199, 410, ConnectionRefusedError("refused"), TimeoutError("late")])
def test_whatever_is_not_2xx_is_sent_again(line: Line, failure: int | OSError) -> None:
    """After the first wait, then after the second; no answer is None."""
    line.answers = [failure, failure]
    line.add("a")
    expected = failure if isinstance(failure, int) else None
    for due in (1, 3):
        assert line.outbox.deliver(line.outbox.waiting[0]) == expected
        assert line.waiting == [("a", due)]
        line.now = due
    assert line.outbox.deliver(line.outbox.waiting[0]) == 204
    assert line.waiting == []


def test_at_the_end_of_the_schedule_a_message_is_given_up(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    """The log says so, and names neither the key nor the signature."""
    line.answers = [500] * 9
    line.add("a")
    line.outbox.deliver_all()
    assert line.names() == "aaa"
    said = [record.getMessage() for record in caplog.records]
    about = f"subscription.updated (msg_a) did not arrive at {URL}"
    assert said == [f"{about}, again in 1 seconds: 500", f"{about}, again in 2 seconds: 500", f"{about}, given up: 500"]


def test_each_try_has_the_same_id_and_a_signature_of_its_own(line: Line) -> None:
    """A receiver that looks at the time takes the one and refuses the other."""
    line.answers = [500]
    line.add('{"of": "one message"}')
    with time_machine.travel(datetime(2026, 4, 1, 10, tzinfo=UTC), tick=False) as clock:
        line.outbox.deliver(line.outbox.waiting[0])
        clock.shift(600)
        line.outbox.deliver_all()
        (body, first), (again, second) = line.sent
        assert body == again
        assert first["svix-id"] == second["svix-id"] == 'msg_{"of": "one message"}'
        assert int(second["svix-timestamp"]) - int(first["svix-timestamp"]) == 600
        assert Webhook(SECRET).verify(again, _standard(second)) == {"of": "one message"}
        with pytest.raises(WebhookVerificationError, match="too old"):
            Webhook(SECRET).verify(body, _standard(first))


def _standard(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("svix", "webhook"): value for name, value in headers.items()}


def test_messages_go_in_the_order_in_which_they_are_due(line: Line) -> None:
    """One that is late is overtaken by those that are not, and so is one that is sent again."""
    line.answers = [500]
    line.add("a")
    line.add("b", DeliveryFault(delays=[0.5]))
    line.add("c")
    assert line.waiting == [("a", 0), ("c", 0), ("b", 0.5)]
    line.outbox.deliver_all()
    assert line.names() == "acba"


def test_a_message_may_come_twice(line: Line) -> None:
    """Under one id; each copy is sent again on its own."""
    line.answers = [204, 500]
    line.add("a", DeliveryFault(delays=[0, 0]))
    line.outbox.deliver_all()
    assert line.names() == "aaa"
    assert {headers["svix-id"] for _, headers in line.sent} == {"msg_a"}


def test_a_message_that_is_held_lets_the_next_one_overtake_it(line: Line) -> None:
    """Both its copies are due at once then; where no other comes, it waits no longer than that."""
    line.add("a", DeliveryFault(delays=[0, 0], is_held=True))
    assert line.waiting == [("a", HELD_SECONDS)] * 2
    line.now = 0.5
    line.add("b")
    line.outbox.deliver(line.outbox.waiting[0])
    assert line.names() == "b"
    assert line.waiting == [("a", 0.5)] * 2


def test_a_message_that_is_held_is_not_let_go_by_an_earlier_one(line: Line) -> None:
    """Nor by its own copy."""
    line.add("a")
    line.add("b", DeliveryFault(delays=[0, 0], is_held=True))
    line.outbox.deliver(line.outbox.waiting[0])
    line.outbox.deliver(line.outbox.waiting[1])
    assert line.names() == "ab"
    assert line.waiting == [("b", HELD_SECONDS)]


def test_a_lost_message_is_never_sent(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    """By its fault or by hand."""
    line.add("a", DeliveryFault(delays=()))
    assert "msg_a" in caplog.text
    assert line.outbox.waiting == []
    line.add("b")
    (delivery,) = line.outbox.waiting
    line.outbox.discard(delivery)
    line.outbox.discard(delivery)
    line.outbox.deliver_all()
    assert line.sent == []


def test_what_has_arrived_can_be_sent_again_by_hand(line: Line) -> None:
    """A duplicate long after; that it fails changes nothing."""
    line.answers = [204, 500]
    line.add("a")
    (delivery,) = line.outbox.waiting
    line.outbox.deliver(delivery)
    assert line.outbox.deliver(delivery) == 500
    assert line.outbox.waiting == []


def test_what_a_test_raises_in_its_transport_reaches_it(line: Line) -> None:
    """Only an error of the way counts as no answer."""
    outbox = Outbox(lambda url, body, headers: 1 // 0)
    outbox.add(Message(id="msg_a", type="a", body=b"a"), url=URL, key=b"x", fault=DeliveryFault(), retry_delays=())
    with pytest.raises(ZeroDivisionError):
        outbox.deliver_all()


def test_neither_key_nor_waits_are_shown(line: Line) -> None:
    """A delivery is printed where a test fails."""
    line.add("a")
    assert "key" not in repr(line.outbox.waiting)
