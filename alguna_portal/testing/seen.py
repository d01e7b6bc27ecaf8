"""What a fake Alguna has seen, and what it has to tell."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.test import Client
from django.urls import reverse

from alguna_portal.sandbox.engine.events import key_of, signed_headers


@dataclass(frozen=True, kw_only=True)
class AskedRequest:
    """One request as Alguna got it; `body` is the JSON that was sent."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: Any


@dataclass(frozen=True, kw_only=True)
class MadeSession:
    """One portal session that the fake has made; `settings` are in the API's own keys, as they were sent."""

    id: str
    customer_id: str
    customer_alias: str | None
    settings: dict[str, Any]
    url: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class ToldMessage:
    """One webhook message that the fake has for your site: `body` is posted under `headers`, which are signed."""

    id: str
    type: str
    data: dict[str, Any] = field(repr=False)
    body: bytes = field(repr=False)
    secret: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """Sign the message as of now: a time long past is refused."""
        return signed_headers(self.body, key=key_of(self.secret), message_id=self.id, now=datetime.now(UTC))

    def post(self, client: Client, path: str = "") -> Any:
        """Post the message to your site, to `alguna_portal:webhook` if to no other path; return the response.

        Posted again, it is a duplicate: it keeps its id.
        """
        path = path or reverse("alguna_portal:webhook")
        return client.post(path, self.body, content_type="application/json", headers=self.headers)
