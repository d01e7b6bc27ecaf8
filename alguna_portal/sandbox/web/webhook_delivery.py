"""How messages leave this process: over HTTP by a thread of their own, or by the hand of a test.

with delivering.by_hand(transport) as outbox:      # no thread, no HTTP
    dashboard.change_plan("42", "plan_growth")
    first, second = outbox.waiting
    outbox.deliver(second)
    outbox.deliver_all()

delivering.quiet(10, hurry=True)                   # over HTTP: until nothing is under way or due
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import requests
from django.db import router, transaction

from alguna_portal.sandbox.conf import conf
from alguna_portal.sandbox.engine import faults
from alguna_portal.sandbox.engine.events import Message, Outbox, Transport, key_of, message_of
from alguna_portal.sandbox.engine.faults import Fate
from alguna_portal.sandbox.engine.types import JSON, State
from alguna_portal.sandbox.models import Record

# --- from alguna_portal.sandbox.web.announcing

logger = logging.getLogger(__name__)


def announce(state: State, events: Sequence[JSON]) -> None:
    """Send events, if there is an address for them, once the transaction around this is committed.

    What the weather makes of each is written in that transaction: call this within `writing()`.
    """
    url, secret = conf.webhook_url, conf.webhook_secret
    if not events or not url:
        return
    try:
        key = key_of(secret)
    except ValueError:
        kinds = ", ".join(event["type"] for event in events)
        logger.exception("%s: not sent, ALGUNA_SANDBOX_WEBHOOK_SECRET cannot be used", kinds)
        return
    for event in events:
        sending = partial(send, message_of(event), url=url, key=key, fate=faults.of_next(state))
        transaction.on_commit(sending, using=router.db_for_write(Record))


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Post a message; return the status, raise OSError where there is no answer in time."""
    answer = requests.post(url, data=body, headers=headers, timeout=conf.webhook_timeout, allow_redirects=False)
    return answer.status_code


_over_http = Outbox(post)
_in_hand: list[Outbox] = []


def send(message: Message, *, url: str, key: bytes, fate: Fate) -> None:
    """Take a message, to be sent as its fate has it. Nobody waits for that."""
    outbox = _in_hand[-1] if _in_hand else _over_http
    outbox.add(message, url=url, key=key, fate=fate, waits=conf.webhook_schedule)
    if outbox is _over_http:
        outbox.start()


@contextmanager
def by_hand(transport: Transport) -> Iterator[Outbox]:
    """Give out an outbox that takes all messages meanwhile and sends none by itself, whatever its transport.

    What still waits at the end is not sent.
    """
    outbox = Outbox(transport)
    _in_hand.append(outbox)
    try:
        yield outbox
    finally:
        _in_hand.remove(outbox)


def quiet(seconds: float = 10, *, hurry: bool = False) -> None:
    """Wait until no message is under way or due any more; raise TimeoutError after so many seconds.

    In a hurry, no message waits: neither since it is late or held back, nor between two tries.
    """
    _over_http.quiet(seconds, hurry=hurry)


def clear() -> None:
    """Send nothing more of what waits: a test leaves nothing to the next one."""
    _over_http.clear()
