"""The fake: the engine of the sandbox under `requests`, its state in dicts."""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4

import requests
from django.test import Client, override_settings
from django.urls import reverse
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse

from alguna_portal.conf import conf
from alguna_portal.models import Customer
from alguna_portal.sandbox.engine import changes, customers
from alguna_portal.sandbox.engine.customers import by_alias
from alguna_portal.sandbox.engine.engine import Engine
from alguna_portal.sandbox.engine.events import key_of, message_of, signed_headers
from alguna_portal.sandbox.engine.subscriptions import running
from alguna_portal.sandbox.engine.types import JSON, PLANS, Answer, ApiError, Dropped, Plan, Request, by_id, new_state
from alguna_portal.sandbox.engine.validation import Fields
from alguna_portal.sessions import forget

# --- from alguna_portal.testing.seen


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


PORTAL = "https://portal.alguna.io"


class FakeAlguna(BaseAdapter):
    """Alguna as your code meets it, what it was asked, and what it shall do next.

    What it tells by webhook is signed with the secret, `whsec_` and base64, or with one of its own.
    """

    def __init__(self, *, knows_everyone: bool = True, webhook_secret: str = "") -> None:
        super().__init__()
        account = uuid4().hex
        self._secret = webhook_secret or f"whsec_{base64.b64encode(account.encode()).decode()}"
        self._api_url, api_key = f"https://{account}.alguna.test", f"fake.{account}"
        # What has to be set for code to meet this fake.
        self.settings: dict[str, Any] = {
            "ALGUNA_PORTAL_API_KEY": api_key,
            "ALGUNA_PORTAL_API_URL": self._api_url,
            "ALGUNA_PORTAL_URL_HOSTS": [*conf.URL_HOSTS, "portal.alguna.io"],
            "ALGUNA_PORTAL_WEBHOOK_SECRETS": [self._secret],
        }
        self.requests: list[AskedRequest] = []
        self.sessions: list[MadeSession] = []
        self.messages: list[ToldMessage] = []
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

        with mock.patch.object(requests.Session, "get_adapter", adapter), mock.patch("alguna_portal.api.retries.pause"):
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

    def subscribe(self, alias: str, plan_id: str) -> None:
        """Begin a subscription, and have messages for your site that tell of it; any plan id is known."""
        self._tell(changes.subscribe(self._state, self._customer(alias), _plan(plan_id), now=datetime.now(UTC)))

    def change_plan(self, alias: str, plan_id: str) -> None:
        """Move the customer's newest subscription that runs to another plan, and have messages that tell of it.

        A customer is subscribed from the start. Raise `LookupError` where none of the subscriptions runs any more.
        """
        self._tell(changes.change_plan(self._state, self._running(alias), _plan(plan_id), now=datetime.now(UTC)))

    def cancel(self, alias: str) -> None:
        """End that subscription, and have a message that tells of it."""
        self._tell(changes.cancel(self._state, self._running(alias), now=datetime.now(UTC)))

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

    def _customer(self, alias: str) -> JSON:
        if self.knows_everyone and by_alias(self._state, alias) is None:
            self.add_customer(alias)
        customer = by_alias(self._state, alias)
        if customer is None:
            raise LookupError(f"The fake knows no {alias!r}: add_customer() first.")
        return customer

    def _running(self, alias: str) -> JSON:
        subscription = running(self._state, self._customer(alias)["id"])
        if subscription is None:
            raise LookupError(f"No subscription of {alias!r} runs: subscribe() first.")
        return subscription

    def _tell(self, events: Sequence[JSON]) -> None:
        for event in events:
            told = message_of(event)
            self.messages.append(
                ToldMessage(id=told.id, type=told.type, data=event["data"], body=told.body, secret=self._secret)
            )

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
def fake_alguna(*, knows_everyone: bool = True, webhook_secret: str = "") -> Iterator[FakeAlguna]:
    """Put a fake Alguna under `requests` for a while.

    It makes customers up as their aliases are named; with `knows_everyone=False` it answers 404 for those that
    nobody has added. The settings of the account are its own meanwhile: a key, an address where nobody is, and what
    webhook messages are signed with.
    """
    fake = FakeAlguna(knows_everyone=knows_everyone, webhook_secret=webhook_secret)
    with fake.under_requests(), override_settings(**fake.settings):
        yield fake


def _failure(status: int, detail: str, retry_after: int | None, html: str | None) -> Answer:
    answer = ApiError(status, detail).answer()
    if html is not None:
        answer = Answer(status=status, headers={"Content-Type": "text/html"}, body=html.encode())
    return answer if retry_after is None else answer.with_headers(Retry_After=str(retry_after))


def _plan(plan_id: str) -> Plan:
    """Return a plan of the id: the fake has whatever plans your account has."""
    return by_id(PLANS, plan_id) or Plan(id=plan_id, name=plan_id, amount_cents=0)


def _object(body: bytes) -> JSON:
    """Read a JSON object; anything else is an empty one."""
    try:
        data = json.loads(body)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
