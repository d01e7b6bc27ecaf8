"""The fake Alguna: the sandbox's engine as an adapter of `requests`, with its state in memory."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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

from alguna_portal.api.responses import parse_json_object
from alguna_portal.conf import conf
from alguna_portal.models import Customer
from alguna_portal.sandbox.engine import customers, events, subscriptions, types
from alguna_portal.sandbox.engine.engine import Engine
from alguna_portal.sandbox.engine.validation import Fields
from alguna_portal.sessions import forget


@dataclass(frozen=True, kw_only=True)
class ReceivedRequest:
    """A request that Alguna received; `body` is the decoded JSON."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: Any


@dataclass(frozen=True, kw_only=True)
class CreatedSession:
    """A portal session that the fake created; `settings` has the API's own keys, as the request contained them."""

    id: str
    customer_id: str
    customer_alias: str | None
    settings: dict[str, Any]
    url: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class WebhookMessage:
    """A webhook message for your site: a body to post with signed headers."""

    id: str
    type: str
    data: dict[str, Any] = field(repr=False)
    body: bytes = field(repr=False)
    secret: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """Sign the message with the current time, because receivers reject old messages."""
        return events.sign_message(
            self.body, key=events.decode_secret(self.secret), message_id=self.id, now=types.utc_now()
        )

    def post(self, client: Client, path: str = "") -> Any:
        """Post the message to a path of your site, by default `alguna_portal:webhook`; return the response.

        If you post it again, it is a duplicate with the same id.
        """
        path = path or reverse("alguna_portal:webhook")
        return client.post(path, self.body, content_type="application/json", headers=self.headers)


class FakeAlguna(BaseAdapter):
    """A fake account at Alguna: what it received, what it created, and how it responds next.

    Webhook messages are signed with `webhook_secret`, which is `whsec_` and base64, or with a generated secret.
    """

    def __init__(self, *, knows_everyone: bool = True, webhook_secret: str = "") -> None:
        super().__init__()
        account = uuid4().hex
        self._secret = webhook_secret or f"whsec_{base64.b64encode(account.encode()).decode()}"
        self._api_url, api_key = f"https://{account}.alguna.test", f"fake.{account}"
        # The Django settings with which the app calls this fake.
        self.settings: dict[str, Any] = {
            "ALGUNA_PORTAL_API_KEY": api_key,
            "ALGUNA_PORTAL_API_URL": self._api_url,
            "ALGUNA_PORTAL_URL_HOSTS": [*conf.URL_HOSTS, "portal.alguna.io"],
            "ALGUNA_PORTAL_WEBHOOK_SECRETS": [self._secret],
        }
        self.requests: list[ReceivedRequest] = []
        self.sessions: list[CreatedSession] = []
        self.messages: list[WebhookMessage] = []
        self.knows_everyone = knows_everyone
        self._state = types.new_state()
        self._engine = Engine(
            state=self._state, api_key=api_key, portal_url="https://portal.alguna.io", fault=self._take_failure
        )
        self._failures: list[types.Response | Exception] = []

    @contextmanager
    def under_requests(self) -> Iterator[None]:
        """Handle all requests to the fake's URL that `requests` sends, and don't wait before retries."""
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
        """Let the next requests fail with a status, or with an exception of `requests`.

        Retries happen without waiting. With `ALGUNA_PORTAL_RETRIES = 2`, two failures in a row are retried.
        """
        if isinstance(failure, int):
            response = types.ApiError(failure, detail).to_response()
            if html is not None:
                response = types.Response(status=failure, headers={"Content-Type": "text/html"}, body=html.encode())
            if retry_after is not None:
                response = response.with_headers(Retry_After=str(retry_after))
            self._failures += [response] * times
        else:
            self._failures += [failure] * times

    def add_customer(self, alias: str, *, name: str = "", currency: str = "USD") -> str:
        """Create a customer in Alguna; return its id."""
        fields = Fields({"name": name or alias, "currency": currency, "aliases": [alias]})
        return str(customers.add_customer(self._state, fields, now=types.utc_now())["id"])

    def subscribe(self, alias: str, plan_id: str) -> None:
        """Start another subscription, and create its webhook messages; all plan ids exist."""
        self._apply(subscriptions.start_subscription, self._get_customer(alias), _get_plan(plan_id))

    def change_plan(self, alias: str, plan_id: str) -> None:
        """Move the customer's newest running subscription to a plan, and create its webhook messages.

        New customers already have a subscription. If none is running, raise `LookupError`.
        """
        self._apply(subscriptions.switch_plan, self._get_newest_subscription(alias), _get_plan(plan_id))

    def cancel(self, alias: str) -> None:
        """Cancel the customer's newest running subscription, and create its webhook message."""
        self._apply(subscriptions.cancel_subscription, self._get_newest_subscription(alias))

    def expire_sessions(self) -> None:
        """Expire all sessions, so that the next click creates a new one."""
        for alias in {session.customer_alias for session in self.sessions if session.customer_alias}:
            forget(Customer(alias=alias))

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ARG002
        """Handle a request; `requests` calls this."""
        parts = urlsplit(request.url or "")
        method, path, headers = request.method or "", unquote(parts.path), dict(request.headers)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        body = request.body.encode() if isinstance(request.body, str) else bytes(request.body or b"")
        data = parse_json_object(body) or {}
        self.requests.append(ReceivedRequest(method=method, path=path, headers=headers, body=data))
        alias = data.get("customer_alias") or data.get("accountAlias")
        if isinstance(alias, str):
            self._add_if_unknown(alias)
        response = self._engine.handle(types.Request(method=method, path=path, query=query, headers=headers, body=body))
        if isinstance(response, types.DroppedConnection):
            raise requests.ConnectionError("The fake Alguna dropped the connection.", request=request)
        self._record_session(data, alias, response)
        raw = HTTPResponse(BytesIO(response.body), dict(response.headers), response.status, preload_content=False)
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        """Do nothing, because no connection is open."""

    def _add_if_unknown(self, alias: str) -> None:
        if self.knows_everyone and customers.find_by_alias(self._state, alias) is None:
            self.add_customer(alias)

    def _get_customer(self, alias: str) -> dict[str, Any]:
        self._add_if_unknown(alias)
        if (customer := customers.find_by_alias(self._state, alias)) is None:
            raise LookupError(f"The fake knows no {alias!r}: add_customer() first.")
        return customer

    def _get_newest_subscription(self, alias: str) -> dict[str, Any]:
        running = subscriptions.get_running_subscriptions(self._state, self._get_customer(alias)["id"])
        if not running:
            raise LookupError(f"No subscription of {alias!r} runs: subscribe() first.")
        return running[-1]

    def _apply(self, change: Callable[..., list[dict[str, Any]]], *args: object) -> None:
        """Make a change in Alguna, and create the messages for its events."""
        for event in change(self._state, *args, now=types.utc_now()):
            sent = events.create_message(event)
            self.messages.append(
                WebhookMessage(id=sent.id, type=sent.type, data=event["data"], body=sent.body, secret=self._secret)
            )

    def _take_failure(self, _request: types.Request) -> types.Response | None:
        failure = self._failures.pop(0) if self._failures else None
        if isinstance(failure, Exception):
            raise failure
        return failure

    def _record_session(self, request_data: dict[str, Any], alias: str | None, response: types.Response) -> None:
        data = parse_json_object(response.body) or {}
        if url := data.get("url") or data.get("sessionUrl"):
            session_id, customer_id = data.get("id", ""), data.get("customer_id", "")
            settings = {name: value for name, value in request_data.items() if isinstance(value, dict)}
            self.sessions.append(
                CreatedSession(id=session_id, customer_id=customer_id, customer_alias=alias, settings=settings, url=url)
            )


@contextmanager
def fake_alguna(*, knows_everyone: bool = True, webhook_secret: str = "") -> Iterator[FakeAlguna]:
    """Replace Alguna by a fake within a `with` block.

    The fake creates customers when their alias is used. With `knows_everyone=False`, it returns 404 for customers
    that weren't added. The block also sets the fake's own API key, URL, portal host and webhook secret.
    """
    fake = FakeAlguna(knows_everyone=knows_everyone, webhook_secret=webhook_secret)
    with fake.under_requests(), override_settings(**fake.settings):
        yield fake


def _get_plan(plan_id: str) -> types.Plan:
    """Return the default plan with an id, or a new plan: the fake has every plan that your account may have."""
    return types.find_plan(types.DEFAULT_PLANS, plan_id) or types.Plan(id=plan_id, name=plan_id, amount_cents=0)
