"""Webhook delivery: a thread sends messages over HTTP, or a test sends them itself.

with webhook_delivery.manual_delivery(transport) as outbox:  # no thread, no HTTP
    dashboard.change_plan("42", "plan_growth")
    first, second = outbox.waiting
    outbox.deliver(second)
    outbox.deliver_all()

webhook_delivery.wait_until_delivered(10, hurry=True)  # over HTTP: waits for the thread
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import requests
from django.db import router, transaction

from alguna_portal.sandbox.conf import conf
from alguna_portal.sandbox.engine.events import Message, Outbox, Transport, create_message, decode_secret
from alguna_portal.sandbox.engine.faults import DeliveryFault, take_delivery_fault
from alguna_portal.sandbox.engine.types import JSON, State
from alguna_portal.sandbox.models import Record

logger = logging.getLogger(__name__)


def send_events(state: State, events: Sequence[JSON]) -> None:
    """Send events to ALGUNA_SANDBOX_WEBHOOK_URL, if it is set, when the current transaction is committed.

    Call this within `write_state()`, because simulated faults count messages in the state.
    """
    url, secret = conf.webhook_url, conf.webhook_secret
    if not events or not url:
        return
    try:
        key = decode_secret(secret)
    except ValueError:
        kinds = ", ".join(event["type"] for event in events)
        logger.exception("%s: not sent, ALGUNA_SANDBOX_WEBHOOK_SECRET cannot be used", kinds)
        return
    for event in events:
        send = partial(send_message, create_message(event), url=url, key=key, fault=take_delivery_fault(state))
        transaction.on_commit(send, using=router.db_for_write(Record))


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    response = requests.post(url, data=body, headers=headers, timeout=conf.webhook_timeout, allow_redirects=False)
    return response.status_code


_http_outbox = Outbox(_post)
_manual_outboxes: list[Outbox] = []


def send_message(message: Message, *, url: str, key: bytes, fault: DeliveryFault) -> None:
    """Add a message to the outbox without waiting for its delivery."""
    outbox = _manual_outboxes[-1] if _manual_outboxes else _http_outbox
    outbox.add(message, url=url, key=key, fault=fault, retry_delays=conf.webhook_schedule)
    if outbox is _http_outbox:
        outbox.start()


@contextmanager
def manual_delivery(transport: Transport) -> Iterator[Outbox]:
    """Return an outbox that collects all messages and only sends them, with the transport, if its methods are called.

    Messages that are still waiting at the end aren't sent.
    """
    outbox = Outbox(transport)
    _manual_outboxes.append(outbox)
    try:
        yield outbox
    finally:
        _manual_outboxes.remove(outbox)


def wait_until_delivered(seconds: float = 10, *, hurry: bool = False) -> None:
    """Wait until no message is waiting or being sent; raise TimeoutError after so many seconds.

    With `hurry`, messages are sent immediately, without simulated and retry delays.
    """
    _http_outbox.wait_until_empty(seconds, hurry=hurry)


def discard_messages() -> None:
    """Remove all waiting messages without sending them, for example after a test."""
    _http_outbox.discard_all()
