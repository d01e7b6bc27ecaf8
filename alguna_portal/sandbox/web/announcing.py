"""The way out: events told to the host's webhook. Nobody waits for that, and no failure reaches a visitor."""

import logging
from collections.abc import Sequence
from functools import partial

from django.db import router, transaction

from alguna_portal.sandbox.conf import conf
from alguna_portal.sandbox.engine import fates
from alguna_portal.sandbox.engine.events import key_of, message_of
from alguna_portal.sandbox.engine.types import JSON, State
from alguna_portal.sandbox.models import Record

from . import webhook_delivery

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
        sending = partial(webhook_delivery.send, message_of(event), url=url, key=key, fate=fates.of_next(state))
        transaction.on_commit(sending, using=router.db_for_write(Record))
