"""What Alguna tells by webhook, and how it signs it (Standard Webhooks, as Svix delivers them)."""

import base64
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

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
