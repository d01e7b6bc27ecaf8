"""What Alguna tells by webhook, and how it signs it (Standard Webhooks, as Svix delivers them)."""

import base64
import hmac
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from threading import Condition, Thread

from .engine import utc_now
from .faults import Fate
from .types import JSON, timestamp


@dataclass(frozen=True, kw_only=True)
class Message:
    """One event on its way: one id and one body, however often it is sent."""

    id: str
    type: str
    body: bytes

    def headers(self, *, key: bytes, now: datetime) -> dict[str, str]:
        """Return the headers that it goes out with at this moment."""
        return signed_headers(self.body, key=key, message_id=self.id, now=now)


def of_subscription(kind: str, subscription: JSON, *, now: datetime) -> JSON:
    """Return the event `subscription.<kind>`; of a plan it says nothing."""
    return {
        "type": f"subscription.{kind}",
        "timestamp": timestamp(now),
        "data": {
            "id": subscription["id"],
            "accountId": subscription["customer_id"],
            "name": subscription["name"],
            "status": subscription["status"],
            "currency": subscription["currency"],
            "createdAt": subscription["created_at"],
            "updatedAt": subscription["updated_at"],
        },
    }


def message_of(event: JSON) -> Message:
    """Return an event as it is sent, under an id of its own."""
    return Message(id=f"msg_{secrets.token_hex(12)}", type=event["type"], body=json.dumps(event).encode())


def key_of(secret: str) -> bytes:
    """Return the key in a secret, `whsec_` and base64; raise ValueError where there is none."""
    prefix, _, encoded = secret.partition("_")
    key = base64.b64decode(encoded, validate=True)
    if prefix != "whsec" or not key:
        raise ValueError("A webhook secret is whsec_ and base64.")
    return key


def signed_headers(body: bytes, *, key: bytes, message_id: str, now: datetime) -> dict[str, str]:
    """Return the headers that a message goes out with."""
    seconds = str(int(now.timestamp()))
    signature = hmac.digest(key, f"{message_id}.{seconds}.".encode() + body, sha256)
    return {
        "Content-Type": "application/json",
        "svix-id": message_id,
        "svix-timestamp": seconds,
        "svix-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


# --- from alguna_portal.sandbox.engine.outbox

logger = logging.getLogger(__name__)

# How long a message that was held back waits for another one to overtake it.
HELD_SECONDS = 2.0

# Address, body, headers; returns the status, raises OSError (as every error of requests is) where there is no answer.
Transport = Callable[[str, bytes, Mapping[str, str]], int]


@dataclass(kw_only=True, eq=False)
class Delivery:
    """One copy of a message with where it goes, when it is due and the waits that are left for it."""

    message: Message
    url: str
    due: float
    number: int
    held: bool = False
    key: bytes = field(repr=False)
    waits: Sequence[float] = field(repr=False)


class Outbox:
    """What waits to be sent. Its clock counts seconds and never goes back."""

    def __init__(self, send: Transport, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._clock = clock
        self._deliveries: list[Delivery] = []
        self._changed = Condition()
        self._count = 0
        self._worker: Thread | None = None
        self._hurries = False

    @property
    def waiting(self) -> list[Delivery]:
        """Return what waits, in the order in which it would be sent."""
        with self._changed:
            return sorted(self._deliveries, key=lambda delivery: (delivery.due, delivery.number))

    def add(self, message: Message, *, url: str, key: bytes, fate: Fate, waits: Sequence[float]) -> None:
        """Take a message as often as its fate wants. A try that fails is made again after each of the waits."""
        if not fate.delays:
            logger.warning("%s (%s) is lost: the weather", message.type, message.id)
        with self._changed:
            # Once, or else copies of the same moment would be due at two.
            now = self._clock() + (HELD_SECONDS if fate.held else 0)
            for delay in fate.delays:
                self._count += 1
                due = now + delay
                self._deliveries.append(
                    Delivery(
                        message=message, url=url, key=key, due=due, number=self._count, held=fate.held, waits=waits
                    )
                )
            self._changed.notify_all()

    def start(self) -> None:
        """Have a thread send what is due, until nothing waits; where one does already, do nothing."""
        with self._changed:
            if self._deliveries and not (self._worker and self._worker.is_alive()):
                self._worker = Thread(target=self._work, name="alguna-sandbox-webhook", daemon=True)
                self._worker.start()

    def deliver(self, delivery: Delivery) -> int | None:
        """Send a message now, due or not; return the status, None where there is no answer.

        What is not answered with 2xx waits for its next try, or is given up. One that waits no more, since it has
        arrived, is just sent again.
        """
        message = delivery.message
        status, reason = None, ""
        try:
            status = self._send(delivery.url, message.body, message.headers(key=delivery.key, now=utc_now()))
        except OSError as error:
            reason = str(error)
        arrived = status is not None and 200 <= status < 300
        with self._changed:
            again = self._settle(delivery, arrived=arrived)
            # Still under the lock: what is logged is there before anybody hears that all is quiet.
            if arrived:
                logger.info("%s (%s) arrived at %s: %s", message.type, message.id, delivery.url, status)
            else:
                outlook = "given up" if again is None else f"again in {again:g} seconds"
                facts = (message.type, message.id, delivery.url, outlook, status or reason)
                logger.warning("%s (%s) did not arrive at %s, %s: %s", *facts)
        return status

    def deliver_all(self) -> None:
        """Send whatever waits, in its order and without waiting, until all has arrived or is given up."""
        while waiting := self.waiting:
            self.deliver(waiting[0])

    def lose(self, delivery: Delivery) -> None:
        """Send a message no more; where it does not wait, do nothing."""
        with self._changed:
            if delivery in self._deliveries:
                self._deliveries.remove(delivery)
            self._changed.notify_all()

    def clear(self) -> None:
        """Send nothing more of what waits."""
        for delivery in self.waiting:
            self.lose(delivery)

    def quiet(self, seconds: float, *, hurry: bool = False) -> None:
        """Wait until nothing is under way or due any more; raise TimeoutError after so many seconds.

        In a hurry, the thread waits for nothing: neither for what is late or held back, nor between two tries.
        """
        with self._changed:
            self._hurries = hurry
            self._changed.notify_all()
            is_quiet = self._changed.wait_for(lambda: not self._deliveries, seconds)
            self._hurries = False
            if not is_quiet:
                raise TimeoutError(f"{len(self._deliveries)} webhook messages still wait after {seconds:g} seconds.")

    def _settle(self, delivery: Delivery, *, arrived: bool) -> float | None:
        """Say in how many seconds a message is tried again, None for never."""
        again: float | None = None
        now = self._clock()
        if delivery in self._deliveries:
            if arrived or not delivery.waits:
                self._deliveries.remove(delivery)
            else:
                again, *delivery.waits = delivery.waits
                delivery.due, delivery.held = now + again, False
        for other in self._deliveries:
            if other.held and other.number < delivery.number and other.message is not delivery.message:
                other.due, other.held = now, False
        self._changed.notify_all()
        return again

    def _work(self) -> None:
        while due := self._wait_for_due():
            # A twin is sent at the same moment. There are two threads then, for as long as that takes.
            twins = [Thread(target=self._try, args=[twin], daemon=True) for twin in due[1:]]
            for twin in twins:
                twin.start()
            self._try(due[0])
            for twin in twins:
                twin.join()

    def _try(self, delivery: Delivery) -> None:
        try:
            self.deliver(delivery)
        except Exception:
            logger.exception("%s (%s) could not be sent", delivery.message.type, delivery.message.id)
            self.lose(delivery)

    def _wait_for_due(self) -> list[Delivery]:
        """Return the next message once it is due, and its twin where there is one; nothing where nothing waits."""
        with self._changed:
            while waiting := self.waiting:
                first = waiting[0]
                wait = first.due - self._clock()
                if wait <= 0 or self._hurries:
                    return [each for each in waiting if each.message is first.message and each.due == first.due]
                self._changed.wait(wait)
            # Under the lock: who adds from here on finds no worker, and starts one.
            self._worker = None
            return []
