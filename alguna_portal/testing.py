"""A fake Alguna for your own tests: no sockets, no key, no sandbox in INSTALLED_APPS.

    from alguna_portal.testing import fake_alguna

    with fake_alguna() as alguna:
        response = client.get("/billing/")
        assert response.url == alguna.sessions[-1].url

With pytest, the fixture `alguna` is there by itself. With unittest, `self.enterContext(fake_alguna())`.

The fake is the engine of the sandbox under `requests`, its state in dicts: it checks requests, refuses and
remembers as Alguna does. Each fake is an account of its own, so nothing that an earlier test cached is met again.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4

import requests
from django.test import override_settings
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse

from .conf import conf
from .models import Customer
from .sandbox import customers
from .sandbox.customers import by_alias
from .sandbox.engine import Engine
from .sandbox.fields import Fields
from .sandbox.messages import JSON, Answer, ApiError, Dropped, Request, new_state
from .sessions import forget

PORTAL = "https://portal.alguna.io"


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


class FakeAlguna(BaseAdapter):
    """Alguna as your code meets it, what it was asked, and what it shall do next."""

    def __init__(self, *, knows_everyone: bool = True) -> None:
        super().__init__()
        account = uuid4().hex
        self._api_url, api_key = f"https://{account}.alguna.test", f"fake.{account}"
        # What has to be set for code to meet this fake.
        self.settings: dict[str, Any] = {
            "ALGUNA_PORTAL_API_KEY": api_key,
            "ALGUNA_PORTAL_API_URL": self._api_url,
            "ALGUNA_PORTAL_URL_HOSTS": [*conf.URL_HOSTS, "portal.alguna.io"],
        }
        self.requests: list[AskedRequest] = []
        self.sessions: list[MadeSession] = []
        self.knows_everyone = knows_everyone
        self._state = new_state()
        self._engine = Engine(state=self._state, api_key=api_key, portal_url=PORTAL, fault=self._next_failure)
        self._failures: list[Answer | Exception] = []

    @contextmanager
    def under_requests(self) -> Iterator[None]:
        """Be what `requests` reaches at the fake's address; let retries not wait."""
        get_adapter = requests.Session.get_adapter

        def adapter(session: requests.Session, url: str) -> BaseAdapter:
            return self if url.startswith(self._api_url) else get_adapter(session, url)

        with mock.patch.object(requests.Session, "get_adapter", adapter), mock.patch("alguna_portal.client.pause"):
            yield

    def fail(
        self,
        failure: int | Exception,
        *,
        times: int = 1,
        detail: str = "A failure that the test asked for.",
        retry_after: int | None = None,
        html: str | None = None,
    ) -> None:
        """Answer the next requests with a status, or let them fail on the way with an exception of `requests`.

        Retries are made without waiting: with `ALGUNA_PORTAL_RETRIES = 2`, two failures in a row are survived.
        """
        if isinstance(failure, int):
            self._failures += [_failure(failure, detail, retry_after, html)] * times
        else:
            self._failures += [failure] * times

    def add_customer(self, alias: str, *, name: str = "", currency: str = "USD") -> str:
        """Make a customer known, as one created in Alguna is; return its id."""
        fields = Fields({"name": name or alias, "currency": currency, "aliases": [alias]})
        return str(customers.add(self._state, fields, now=datetime.now(UTC))["id"])

    def expire_sessions(self) -> None:
        """Let all sessions made so far be over: the next click makes a new one."""
        for alias in {session.customer_alias for session in self.sessions if session.customer_alias}:
            forget(Customer(alias=alias))

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ARG002
        """Answer a request; called by `requests`."""
        parts = urlsplit(request.url or "")
        body = request.body.encode() if isinstance(request.body, str) else bytes(request.body or b"")
        asked = Request(
            method=request.method or "",
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers=dict(request.headers),
            body=body,
        )
        sent = _object(body)
        self.requests.append(AskedRequest(method=asked.method, path=asked.path, headers=dict(asked.headers), body=sent))
        alias = sent.get("customer_alias") or sent.get("accountAlias")
        if self.knows_everyone and isinstance(alias, str) and by_alias(self._state, alias) is None:
            self.add_customer(alias)
        answer = self._engine.answer(asked)
        if isinstance(answer, Dropped):
            raise requests.ConnectionError("The fake Alguna dropped the connection.", request=request)
        self._remember(sent, alias, answer)
        raw = HTTPResponse(
            body=BytesIO(answer.body), headers=dict(answer.headers), status=answer.status, preload_content=False
        )
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def _next_failure(self, request: Request) -> Answer | None:  # noqa: ARG002
        if not self._failures:
            return None
        failure = self._failures.pop(0)
        if isinstance(failure, Exception):
            raise failure
        return failure

    def _remember(self, sent: JSON, alias: str | None, answer: Answer) -> None:
        """Note a session that was made."""
        made = _object(answer.body)
        url = made.get("url") or made.get("sessionUrl")
        if url:
            self.sessions.append(
                MadeSession(
                    id=made.get("id", ""),
                    customer_id=made.get("customer_id", ""),
                    customer_alias=alias,
                    settings={name: value for name, value in sent.items() if isinstance(value, dict)},
                    url=url,
                )
            )


@contextmanager
def fake_alguna(*, knows_everyone: bool = True) -> Iterator[FakeAlguna]:
    """Put a fake Alguna under `requests` for a while.

    It makes customers up as their aliases are named; with `knows_everyone=False` it answers 404 for those that
    nobody has added. The settings of the account are its own meanwhile: a key, and an address where nobody is.
    """
    fake = FakeAlguna(knows_everyone=knows_everyone)
    with fake.under_requests(), override_settings(**fake.settings):
        yield fake


def _failure(status: int, detail: str, retry_after: int | None, html: str | None) -> Answer:
    answer = ApiError(status, detail).answer()
    if html is not None:
        answer = Answer(status=status, headers={"Content-Type": "text/html"}, body=html.encode())
    return answer if retry_after is None else answer.with_headers(Retry_After=str(retry_after))


def _object(body: bytes) -> JSON:
    """Read a JSON object; anything else is an empty one."""
    try:
        data = json.loads(body)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
