"""The official SDK, unchanged, against the served sandbox: its sync and its async client, through real HTTP.

Each test is written once, for the sync client; the async one stands behind a wrapper that waits for it.
"""

import asyncio
import pickle
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from inspect import iscoroutine
from typing import Any

import httpx
import pytest
from alguna import Alguna, AsyncAlguna
from alguna.core.api_error import ApiError
from alguna.errors import (
    BadGatewayError,
    BadRequestError,
    ConflictError,
    ForbiddenError,
    GatewayTimeoutError,
    InternalServerError,
    NotFoundError,
    ServiceUnavailableError,
    UnauthorizedError,
    UnprocessableEntityError,
)
from alguna.paging import apaginate, paginate
from alguna.types import (
    AddressRequest,
    BillingDetailsSettingsRequest,
    ContactRequest,
    CustomerPortalSessionResponse,
    CustomerResponse,
    ErrorResponse,
    GatewayErrorResponse,
    InvoiceListSettingsRequest,
    PlanOverviewSettingsRequest,
    SubscriptionResponse,
)

from tests.contract.conftest import KEY, mail, unused

pytestmark = pytest.mark.xdist_group("sdk")

FAULT = "Alguna-Sandbox-Fault"


class Waiting:
    """An async client, or a part of one, whose methods wait for what they return."""

    def __init__(self, wrapped: object, wait: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._wrapped = wrapped
        self._wait = wait

    def __getattr__(self, name: str) -> "Waiting":
        return Waiting(getattr(self._wrapped, name), self._wait)

    def __call__(self, *args: Any, **named: Any) -> Any:
        assert callable(self._wrapped)
        result = self._wrapped(*args, **named)
        return self._wait(result) if iscoroutine(result) else result

    def every(self, **named: Any) -> list[Any]:
        """Collect what the SDK's `apaginate` gives for a list method."""

        async def collect() -> list[Any]:
            wrapped: Any = self._wrapped
            items: AsyncIterator[Any] = apaginate(wrapped, **named)
            return [item async for item in items]

        collected: list[Any] = self._wait(collect())
        return collected


class Official:
    """One of the SDK's clients, at the served sandbox."""

    def __init__(self, client: Any) -> None:
        self.customers = client.customers
        self.portal = client.portal
        self.subscriptions = client.subscriptions

    def every(self, list_page: Any, **named: Any) -> list[Any]:
        """Collect all pages, as the SDK's pagers do."""
        return list_page.every(**named) if isinstance(list_page, Waiting) else list(paginate(list_page, **named))

    def customer(self, **fields: Any) -> CustomerResponse:
        """Create a customer."""
        customer: CustomerResponse = self.customers.create(**{"name": "Acme Corp", "currency": "USD", **fields})
        return customer


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest, sandbox_url: str) -> Iterator[Callable[..., Official]]:
    """Make clients of either kind for the served sandbox, without retries unless told otherwise."""
    named: dict[str, Any] = {"base_url": sandbox_url, "api_key": KEY, "max_retries": 0, "timeout": 20}
    if request.param == "sync":
        with httpx.Client(trust_env=False, timeout=20) as http:
            yield lambda **more: Official(Alguna(httpx_client=http, **{**named, **more}))
        return
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(trust_env=False, timeout=20)
        yield lambda **more: Official(Waiting(AsyncAlguna(httpx_client=client, **{**named, **more}), runner.run))
        runner.run(client.aclose())


@pytest.fixture
def sdk(connect: Callable[..., Official]) -> Official:
    """The client with the right key."""
    return connect()


def faulty(fault: str, **more: Any) -> dict[str, Any]:
    """Write the options of a request that meets a fault."""
    return {"request_options": {"additional_headers": {FAULT: fault}, **more}}


def test_a_customer_is_created_and_got(sdk: Official) -> None:
    """By id and by alias, typed all the way down."""
    alias, email = unused(), mail()
    created = sdk.customer(
        aliases=[alias],
        billing_address=AddressRequest(
            city="San Francisco", country="USA", line1="123 Main St", postal_code="94105", state="CA"
        ),
        contacts=[ContactRequest(email=email, is_primary=True, first_name="John")],
    )
    assert isinstance(created, CustomerResponse)
    assert isinstance(created.created_at, datetime)
    assert created.aliases == [alias]
    assert created.billing_address
    assert created.billing_address.country == "USA"
    assert created.contacts
    assert (created.contacts[0].email, created.contacts[0].first_name) == (email, "John")
    assert sdk.customers.get(created.id) == created
    assert sdk.customers.get(alias) == created


def test_a_customer_is_looked_up(sdk: Official) -> None:
    """By alias, or by the id itself; nobody is a typed error."""
    alias = unused()
    customer = sdk.customer(aliases=[alias])
    assert sdk.customers.lookup(alias=alias).customer_id == customer.id
    assert sdk.customers.lookup(alias=customer.id).customer_id == customer.id
    with pytest.raises(NotFoundError):
        sdk.customers.lookup(alias=unused())


def test_a_customer_is_updated(sdk: Official) -> None:
    """What is not sent stays, sent lists are replaced."""
    old, new = unused(), unused()
    customer = sdk.customer(aliases=[old], contacts=[ContactRequest(email=mail(), is_primary=True)])
    updated = sdk.customers.update(customer.id, name="Acme Corporation", aliases=[new])
    assert (updated.id, updated.name, updated.aliases) == (customer.id, "Acme Corporation", [new])
    assert updated.contacts == customer.contacts
    with pytest.raises(NotFoundError):
        sdk.customers.get(old)


def test_a_taken_alias_is_a_conflict(sdk: Official) -> None:
    """A real one: the SDK does not try it again."""
    alias = unused()
    sdk.customer(aliases=[alias])
    with pytest.raises(ConflictError) as conflict:
        sdk.customer(aliases=[alias], request_options={"max_retries": 2})
    assert "retry-after" not in (conflict.value.headers or {})


def test_customers_are_listed_by_alias_and_email(sdk: Official) -> None:
    """With the number of pages."""
    alias, email = unused(), mail()
    customer = sdk.customer(aliases=[alias], contacts=[ContactRequest(email=email, is_primary=True)])
    assert sdk.customers.list(alias=alias).data == [customer]
    page = sdk.customers.list(email=email, limit=1)
    assert (page.data, page.pagination.per_page, page.pagination.total_pages) == ([customer], 1, 1)


@pytest.mark.parametrize("limit", [1, 2, 3, None])
def test_paginate_walks_all_customers(sdk: Official, limit: int | None) -> None:
    """Each comes once, in order, also where the last page is full."""
    email = mail()
    contacts = [ContactRequest(email=email, is_primary=True)]
    made = [sdk.customer(name=f"Acme {number}", contacts=contacts) for number in range(4)]
    assert sdk.every(sdk.customers.list, email=email, limit=limit) == made


def test_subscriptions_are_listed(sdk: Official) -> None:
    """A customer's own, by one status or several, with what this project needs of each."""
    customer = sdk.customer()
    [subscription] = sdk.every(sdk.subscriptions.list, customer_id=customer.id)
    assert isinstance(subscription, SubscriptionResponse)
    assert (subscription.customer_id, subscription.status) == (customer.id, "active")
    assert subscription.id
    assert subscription.name
    assert subscription.plan_id
    assert sdk.subscriptions.list(customer_id=customer.id, status=["draft", "active"]).data == [subscription]
    assert sdk.subscriptions.list(customer_id=customer.id, status="canceled").data == []


def test_a_portal_session_is_created_by_alias_and_by_id(sdk: Official) -> None:
    """It has a URL and an hour to live."""
    alias = unused()
    customer = sdk.customer(aliases=[alias])
    for ident in ({"customer_alias": alias}, {"customer_id": customer.id}):
        session = sdk.portal.create_session(**ident)
        assert isinstance(session, CustomerPortalSessionResponse)
        assert session.customer_id == customer.id
        assert session.expires_at - session.created_at == timedelta(hours=1)
        assert abs(session.created_at - datetime.now(UTC)) < timedelta(minutes=1)
        assert httpx.get(session.url, trust_env=False).status_code == 200


def test_a_portal_session_takes_all_settings_of_the_sdk(sdk: Official) -> None:
    """What is hidden there is not in the portal."""
    name = unused("Company")
    customer = sdk.customer(name=name)
    session = sdk.portal.create_session(
        customer_id=customer.id,
        plan_overview_settings=PlanOverviewSettingsRequest(
            show_section=True, allow_subscription_cancel=False, allow_self_serve_change=False
        ),
        invoice_list_settings=InvoiceListSettingsRequest(show_section=False),
        billing_details_settings=BillingDetailsSettingsRequest(
            show_section=True, allow_autopay_edit=False, allow_payment_method_edit=False, allow_account_edit=False
        ),
    )
    page = httpx.get(session.url, trust_env=False).text
    assert name in page
    assert "INV-" not in page


def test_a_key_is_echoed_and_replayed(sdk: Official) -> None:
    """The second call gets the first one's customer; another request under the key is refused."""
    key = unused("key")
    named = {"name": "Acme Corp", "currency": "USD", "idempotency_key": key}
    first, again = (sdk.customers.with_raw_response.create(**named) for _ in range(2))
    assert again.data == first.data
    assert [response.headers["idempotent-replayed"] for response in (first, again)] == ["false", "true"]
    assert {response.headers["idempotency-key"] for response in (first, again)} == {key}
    with pytest.raises(UnprocessableEntityError) as refused:
        sdk.customers.create(**{**named, "name": "Other"})
    assert refused.value.body.type == "about:blank"


def test_each_call_has_a_key_of_its_own(sdk: Official) -> None:
    """Made by the SDK, where the caller gives none."""
    first, second = (sdk.customers.with_raw_response.create(name="Acme", currency="USD") for _ in range(2))
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]
    assert first.data.id != second.data.id


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadRequestError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (422, UnprocessableEntityError),
        (429, ApiError),  # the SDK has no class of its own for it here
        (500, InternalServerError),
        (502, BadGatewayError),
        (503, ServiceUnavailableError),
        (504, GatewayTimeoutError),
    ],
)
def test_every_documented_status_is_a_typed_error(sdk: Official, status: int, error: type[ApiError]) -> None:
    """Of a session, a creation and a change alike; with the API's own words, and through pickle."""
    calls: list[Callable[[], Any]] = [
        lambda: sdk.portal.create_session(customer_id="cust_abc123", **faulty(f"status={status}")),
        lambda: sdk.customer(**faulty(f"status={status}")),
        lambda: sdk.customers.update("cust_abc123", name="Acme", **faulty(f"status={status}")),
    ]
    for call in calls:
        with pytest.raises(error) as failed:
            call()
        assert failed.value.status_code == status
        assert str(failed.value).startswith(f"HTTP {status}: ")
        if isinstance(failed.value.body, ErrorResponse):
            assert (failed.value.body.status, bool(failed.value.body.detail)) == (status, True)
        again = pickle.loads(pickle.dumps(failed.value))
        assert isinstance(again, error)
        assert again.status_code == status


def test_a_wrong_key_is_refused_by_the_gateway(connect: Callable[..., Official]) -> None:
    """In the gateway's shape, which the SDK reads as well."""
    with pytest.raises(UnauthorizedError) as refused:
        connect(api_key="key_1.wrong").portal.create_session(customer_id="cust_abc123")
    assert isinstance(refused.value.body, GatewayErrorResponse)
    assert refused.value.body.code == "unauthenticated"


def test_the_gateways_bad_day_looks_the_same(sdk: Official) -> None:
    """To a client with the right key."""
    with pytest.raises(UnauthorizedError) as refused:
        sdk.portal.create_session(customer_id="cust_abc123", **faulty("gateway"))
    assert isinstance(refused.value.body, GatewayErrorResponse)


def test_an_unknown_version_is_a_bad_request(connect: Callable[..., Official]) -> None:
    """With a title and a type."""
    with pytest.raises(BadRequestError) as refused:
        connect(api_version="2020-01-01").customers.list()
    assert (refused.value.body.type, bool(refused.value.body.title)) == ("about:blank", True)


@pytest.mark.parametrize("status", [502, 503])
def test_a_page_instead_of_json_is_an_error_with_the_page(sdk: Official, status: int) -> None:
    """Without the class for the status, since nothing of it could be read."""
    with pytest.raises(ApiError) as failed:
        sdk.portal.create_session(customer_id="cust_abc123", **faulty(f"html={status}"))
    assert failed.value.status_code == status
    assert "<h1>" in failed.value.body


def test_a_dropped_connection_is_httpxs_error(sdk: Official) -> None:
    """And the customer was not created."""
    alias = unused()
    with pytest.raises(httpx.RemoteProtocolError):
        sdk.customer(aliases=[alias], **faulty("drop"))
    with pytest.raises(NotFoundError):
        sdk.customers.lookup(alias=alias)


def test_a_timeout_is_httpxs_error(sdk: Official) -> None:
    """Where Alguna takes longer than the call may."""
    with pytest.raises(httpx.ReadTimeout):
        sdk.customers.list(**faulty("latency=1", timeout=0.1))


def test_retry_after_is_waited_for(sdk: Official) -> None:
    """The SDK sends its request again once the second is over, and then gives up."""
    begun = time.monotonic()
    with pytest.raises(ApiError) as failed:
        sdk.customers.list(**faulty("status=429; retry-after=1", max_retries=1))
    assert failed.value.status_code == 429
    assert 1 <= time.monotonic() - begun < 5


def test_a_key_in_use_is_tried_again_until_its_answer_is_there(connect: Callable[..., Official]) -> None:
    """The 409 with Retry-After is the one conflict that the SDK repeats; it ends in a replay."""
    key, alias = unused("key"), unused()
    sdk = connect(max_retries=2)
    named = {"name": "Acme Corp", "currency": "USD", "aliases": [alias], "idempotency_key": key}
    with pytest.raises(httpx.ReadTimeout):
        # The sandbox goes on with what its caller gave up on, as Alguna would.
        sdk.customers.create(**named, **faulty("latency=0.5", timeout=0.2, max_retries=0))
    answer = sdk.customers.with_raw_response.create(**named)
    assert answer.headers["idempotent-replayed"] == "true"
    assert answer.data.aliases == [alias]
