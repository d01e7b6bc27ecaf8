"""Webhook events: their messages, their signatures (Standard Webhooks, like Svix), and the outbox that sends them."""

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

from .faults import DeliveryFault
from .types import JSON, format_timestamp, utc_now

logger = logging.getLogger(__name__)

# The longest time in seconds that a held message waits for another one to overtake it.
HELD_SECONDS = 2.0

# Sends a body with headers to a URL. Returns the status, or raises OSError (like requests does) without a response.
Transport = Callable[[str, bytes, Mapping[str, str]], int]


@dataclass(frozen=True, kw_only=True)
class Message:
    """A webhook message; each attempt to send it has the same id and body."""

    id: str
    type: str
    body: bytes


def create_subscription_event(kind: str, subscription: JSON, *, now: datetime) -> JSON:
    """Return the event `subscription.<kind>`; like Alguna's events, it doesn't contain the plan."""
    return {
        "type": f"subscription.{kind}",
        "timestamp": format_timestamp(now),
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


def create_message(event: JSON) -> Message:
    """Return the message for an event, with a new id."""
    return Message(id=f"msg_{secrets.token_hex(12)}", type=event["type"], body=json.dumps(event).encode())


def decode_secret(secret: str) -> bytes:
    """Return the signing key in a secret, which is `whsec_` and base64; raise ValueError if it is invalid."""
    prefix, _, encoded = secret.partition("_")
    key = base64.b64decode(encoded, validate=True)
    if prefix != "whsec" or not key:
        raise ValueError("A webhook secret is whsec_ and base64.")
    return key


def sign_message(body: bytes, *, key: bytes, message_id: str, now: datetime) -> dict[str, str]:
    """Return the headers of a message, including its signature."""
    seconds = str(int(now.timestamp()))
    signature = hmac.digest(key, f"{message_id}.{seconds}.".encode() + body, sha256)
    return {
        "Content-Type": "application/json",
        "svix-id": message_id,
        "svix-timestamp": seconds,
        "svix-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


@dataclass(kw_only=True, eq=False)
class Delivery:
    """A copy of a message in the outbox, with its URL, its due time and the remaining retry delays."""

    message: Message
    url: str
    due: float
    number: int
    is_held: bool = False
    key: bytes = field(repr=False)
    retry_delays: Sequence[float] = field(repr=False)


class Outbox:
    """The messages that are waiting to be sent; `clock` returns monotonic seconds."""

    def __init__(self, send: Transport, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._clock = clock
        self._deliveries: list[Delivery] = []
        self._changed = Condition()
        self._count = 0
        self._worker: Thread | None = None
        self._skips_waiting = False

    @property
    def waiting(self) -> list[Delivery]:
        """Return the waiting deliveries in the order in which they would be sent."""
        with self._changed:
            return sorted(self._deliveries, key=lambda delivery: (delivery.due, delivery.number))

    def add(
        self, message: Message, *, url: str, key: bytes, fault: DeliveryFault, retry_delays: Sequence[float]
    ) -> None:
        """Add one delivery for each delay of the fault. Failed attempts are repeated after each retry delay."""
        if not fault.delays:
            logger.warning("%s (%s) is lost: simulated fault", message.type, message.id)
        with self._changed:
            # Read the clock once, so that simultaneous copies are due at the same time.
            now = self._clock() + (HELD_SECONDS if fault.is_held else 0)
            for delay in fault.delays:
                self._count += 1
                self._deliveries.append(
                    Delivery(
                        message=message,
                        url=url,
                        due=now + delay,
                        number=self._count,
                        is_held=fault.is_held,
                        key=key,
                        retry_delays=retry_delays,
                    )
                )
            self._changed.notify_all()

    def start(self) -> None:
        """Start a thread that sends deliveries when they are due, unless one is running. It ends when none is left."""
        with self._changed:
            if self._deliveries and not (self._worker and self._worker.is_alive()):
                self._worker = Thread(target=self._work, name="alguna-sandbox-webhook", daemon=True)
                self._worker.start()

    def deliver(self, delivery: Delivery) -> int | None:
        """Send a delivery now, even if it isn't due; return the status, or None if there is no response.

        If the status isn't 2xx, the delivery waits for its next attempt or is given up. If it isn't waiting any more
        because it has arrived, it is sent again as a duplicate.
        """
        message = delivery.message
        status, reason = None, ""
        try:
            headers = sign_message(message.body, key=delivery.key, message_id=message.id, now=utc_now())
            status = self._send(delivery.url, message.body, headers)
        except OSError as error:
            reason = str(error)
        has_arrived = status is not None and 200 <= status < 300
        with self._changed:
            retry_delay = self._record_attempt(delivery, has_arrived=has_arrived)
            # Log within the lock, so that the log is complete when wait_until_empty() returns.
            if has_arrived:
                logger.info("%s (%s) arrived at %s: %s", message.type, message.id, delivery.url, status)
            else:
                outlook = "given up" if retry_delay is None else f"again in {retry_delay:g} seconds"
                facts = (message.type, message.id, delivery.url, outlook, status or reason)
                logger.warning("%s (%s) did not arrive at %s, %s: %s", *facts)
        return status

    def deliver_all(self) -> None:
        """Send all waiting deliveries in order and without delays, until each has arrived or is given up."""
        while waiting := self.waiting:
            self.deliver(waiting[0])

    def discard(self, delivery: Delivery) -> None:
        """Remove a delivery without sending it; if it isn't waiting, do nothing."""
        with self._changed:
            if delivery in self._deliveries:
                self._deliveries.remove(delivery)
            self._changed.notify_all()

    def discard_all(self) -> None:
        """Remove all waiting deliveries without sending them."""
        for delivery in self.waiting:
            self.discard(delivery)

    def wait_until_empty(self, seconds: float, *, hurry: bool = False) -> None:
        """Wait until no delivery is waiting or being sent; raise TimeoutError after so many seconds.

        With `hurry`, the thread sends deliveries immediately, without simulated and retry delays.
        """
        with self._changed:
            self._skips_waiting = hurry
            self._changed.notify_all()
            is_empty = self._changed.wait_for(lambda: not self._deliveries, seconds)
            self._skips_waiting = False
            if not is_empty:
                raise TimeoutError(f"{len(self._deliveries)} webhook messages still wait after {seconds:g} seconds.")

    def _record_attempt(self, delivery: Delivery, *, has_arrived: bool) -> float | None:
        """Remove or reschedule a delivery; return the seconds until the next attempt, or None if there is none."""
        retry_delay: float | None = None
        now = self._clock()
        if delivery in self._deliveries:
            if has_arrived or not delivery.retry_delays:
                self._deliveries.remove(delivery)
            else:
                retry_delay, *delivery.retry_delays = delivery.retry_delays
                delivery.due, delivery.is_held = now + retry_delay, False
        for other in self._deliveries:
            if other.is_held and other.number < delivery.number and other.message is not delivery.message:
                other.due, other.is_held = now, False
        self._changed.notify_all()
        return retry_delay

    def _work(self) -> None:
        while due := self._wait_for_due():
            # A simultaneous copy is sent at the same moment, by a second thread.
            copies = [Thread(target=self._try_to_deliver, args=[copy], daemon=True) for copy in due[1:]]
            for copy in copies:
                copy.start()
            self._try_to_deliver(due[0])
            for copy in copies:
                copy.join()

    def _try_to_deliver(self, delivery: Delivery) -> None:
        try:
            self.deliver(delivery)
        except Exception:
            logger.exception("%s (%s) could not be sent", delivery.message.type, delivery.message.id)
            self.discard(delivery)

    def _wait_for_due(self) -> list[Delivery]:
        """Wait for the next delivery; return it with its simultaneous copy, or nothing if the outbox is empty."""
        with self._changed:
            while waiting := self.waiting:
                first = waiting[0]
                wait = first.due - self._clock()
                if wait <= 0 or self._skips_waiting:
                    return [each for each in waiting if each.message is first.message and each.due == first.due]
                self._changed.wait(wait)
            # Within the lock, so that the next start() sees that no thread is running.
            self._worker = None
            return []
