"""How messages leave this process: over HTTP by a thread of their own, or by the hand of a test.

with delivering.by_hand(transport) as outbox:      # no thread, no HTTP
    dashboard.change_plan("42", "plan_growth")
    first, second = outbox.waiting
    outbox.deliver(second)
    outbox.deliver_all()

delivering.quiet(10, hurry=True)                   # over HTTP: until nothing is under way or due
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import requests

from alguna_portal.sandbox.conf import conf
from alguna_portal.sandbox.engine.events import Message
from alguna_portal.sandbox.engine.fates import Fate
from alguna_portal.sandbox.engine.outbox import Outbox, Transport


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
