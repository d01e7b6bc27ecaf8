"""The way out: events posted to the host's webhook. Nobody waits for that, and no failure reaches a visitor."""

import json
import logging
import secrets
from threading import Thread

import requests
from django.db import router, transaction

from .conf import conf
from .engine import utc_now
from .events import key_of, signed_headers
from .messages import JSON
from .models import Record

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5


def announce(event: JSON | None) -> None:
    """Send an event, if there is one and an address for it, once the transaction around this is committed."""
    url, secret = conf.webhook_url, conf.webhook_secret
    if event is None or not url:
        return
    try:
        key = key_of(secret)
    except ValueError:
        logger.exception("%s was not sent: ALGUNA_SANDBOX_WEBHOOK_SECRET cannot be used", event["type"])
        return
    thread = Thread(target=_send, args=[event, url, key], name="alguna-sandbox-webhook", daemon=True)
    transaction.on_commit(thread.start, using=router.db_for_write(Record))


def _send(event: JSON, url: str, key: bytes) -> None:
    body = json.dumps(event).encode()
    headers = signed_headers(body, key=key, message_id=f"msg_{secrets.token_hex(12)}", now=utc_now())
    try:
        answer = requests.post(url, data=body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        answer.raise_for_status()
    except requests.RequestException as error:
        logger.warning("%s did not arrive at %s: %s", event["type"], url, error)
    else:
        logger.info("%s arrived at %s: %s", event["type"], url, answer.status_code)
