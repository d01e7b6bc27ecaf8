"""Webhook messages, signed and delivered like Svix does for Alguna."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

from django.test import Client
from standardwebhooks import Webhook

from alguna_portal.webhooks import Event, on
from alguna_portal.webhooks.dispatch import _registered

SECRET = "whsec_YSBzZWNyZXQgb2YgdGhlIHRlc3Rz"
WEBHOOK = "/billing/webhook/"

_numbers = count(1)


def create_message(kind: str = "invoice.paid", **data: Any) -> bytes:
    """Return the body of a message."""
    return json.dumps({"type": kind, "timestamp": "2026-11-22T04:00:00Z", "data": data}).encode()


def sign_message(
    body: bytes, *, ident: str = "", secret: str = SECRET, at: datetime | None = None, name: str = "svix"
) -> dict[str, str]:
    """Return the headers with the signature of a message. Without `ident`, it gets a new id."""
    ident, at = ident or f"msg_{next(_numbers)}", at or datetime.now(UTC)
    signature = Webhook(secret).sign(ident, at.replace(tzinfo=None), body.decode("utf-8", "surrogateescape"))
    return {f"{name}-id": ident, f"{name}-timestamp": str(int(at.timestamp())), f"{name}-signature": signature}


def post_message(body: bytes, headers: dict[str, str] | None = None, **options: Any) -> int:
    """Deliver a message; return the status of the response."""
    headers = sign_message(body, **options) if headers is None else headers
    client = Client(enforce_csrf_checks=True)
    return client.post(WEBHOOK, body, content_type="application/json", headers=headers).status_code


@contextmanager
def register_receiver(
    *types: str, then: Callable[[Event], object] | None = None, atomic: bool = True
) -> Iterator[list[Event]]:
    """Register a receiver; yield the list of events that it receives."""
    received: list[Event] = []

    def receiver(event: Event) -> None:
        received.append(event)
        if then:
            then(event)

    receiver.__qualname__ = f"receiver_{next(_numbers)}"
    before = dict(_registered)
    on(*types, atomic=atomic)(receiver)
    try:
        yield received
    finally:
        _registered.clear()
        _registered.update(before)
