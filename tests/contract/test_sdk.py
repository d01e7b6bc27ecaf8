"""The official SDK, sync and async, against the served sandbox."""

import asyncio
import pickle
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from inspect import iscoroutine
from typing import Any

import httpx
import pytest
from alguna import Alguna, AsyncAlguna, errors, types
from alguna.core.api_error import ApiError
from alguna.paging import apaginate, paginate

from tests.contract.conftest import KEY, make_email, make_unique

pytestmark = pytest.mark.xdist_group("sdk")


class SyncWrapper:
    """Wraps an async client, or a part of it, and waits for the results of its methods."""

    def __init__(self, wrapped: object, wait: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._wrapped = wrapped
        self._wait = wait

    def __getattr__(self, name: str) -> "SyncWrapper":
        return SyncWrapper(getattr(self._wrapped, name), self._wait)

    def __call__(self, *args: Any, **named: Any) -> Any:
        assert callable(self._wrapped)
        result = self._wrapped(*args, **named)
        return self._wait(result) if iscoroutine(result) else result

    def get_all(self, **named: Any) -> list[Any]:
        """Return the items that the SDK's `apaginate` yields for a list method."""

        async def collect() -> list[Any]:
            wrapped: Any = self._wrapped
            items: AsyncIterator[Any] = apaginate(wrapped, **named)
            return [item async for item in items]

        collected: list[Any] = self._wait(collect())
        return collected


class SdkClient:
    """A client of the SDK for the served sandbox."""

    def __init__(self, client: Any) -> None:
        self.customers = client.customers
        self.portal = client.portal
        self.subscriptions = client.subscriptions

    def get_all(self, list_page: Any, **named: Any) -> list[Any]:
        """Return the items of all pages."""
        return list_page.get_all(**named) if isinstance(list_page, SyncWrapper) else list(paginate(list_page, **named))

    def create_customer(self, **fields: Any) -> types.CustomerResponse:
        customer: types.CustomerResponse = self.customers.create(**{"name": "Acme Corp", "currency": "USD", **fields})
        return customer


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest, sandbox_url: str) -> Iterator[Callable[..., SdkClient]]:
    """Create a sync or async client for the served sandbox, by default without retries."""
    named: dict[str, Any] = {"base_url": sandbox_url, "api_key": KEY, "max_retries": 0, "timeout": 20}
    if request.param == "sync":
        with httpx.Client(trust_env=False, timeout=20) as http:
            yield lambda **more: SdkClient(Alguna(httpx_client=http, **{**named, **more}))
        return
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(trust_env=False, timeout=20)
        yield lambda **more: SdkClient(SyncWrapper(AsyncAlguna(httpx_client=client, **{**named, **more}), runner.run))
        runner.run(client.aclose())


@pytest.fixture
def sdk(connect: Callable[..., SdkClient]) -> SdkClient:
    return connect()


def with_fault(fault: str, **more: Any) -> dict[str, Any]:
    """Return the options of a request with a simulated fault."""
    return {"request_options": {"additional_headers": {"Alguna-Sandbox-Fault": fault}, **more}}


def test_customer_is_created_and_read_by_id_and_alias(sdk: SdkClient) -> None:
    alias, email = make_unique(), make_email()
    address = types.AddressRequest(
        city="San Francisco", country="USA", line1="123 Main St", postal_code="94105", state="CA"
    )
    contact = types.ContactRequest(email=email, is_primary=True, first_name="John")
    created = sdk.create_customer(aliases=[alias], billing_address=address, contacts=[contact])
    assert isinstance(created, types.CustomerResponse)
    assert isinstance(created.created_at, datetime)
    assert created.aliases == [alias]
    assert created.billing_address
    assert created.billing_address.country == "USA"
    assert created.contacts
    assert (created.contacts[0].email, created.contacts[0].first_name) == (email, "John")
    assert sdk.customers.get(created.id) == created
    assert sdk.customers.get(alias) == created


def test_customer_is_looked_up_by_alias_or_id(sdk: SdkClient) -> None:
    alias = make_unique()
    customer = sdk.create_customer(aliases=[alias])
    assert sdk.customers.lookup(alias=alias).customer_id == customer.id
    assert sdk.customers.lookup(alias=customer.id).customer_id == customer.id
    with pytest.raises(errors.NotFoundError):
        sdk.customers.lookup(alias=make_unique())


def test_update_replaces_lists_and_keeps_other_fields(sdk: SdkClient) -> None:
    old, new = make_unique(), make_unique()
    customer = sdk.create_customer(aliases=[old], contacts=[types.ContactRequest(email=make_email(), is_primary=True)])
    updated = sdk.customers.update(customer.id, name="Acme Corporation", aliases=[new])
    assert (updated.id, updated.name, updated.aliases) == (customer.id, "Acme Corporation", [new])
    assert updated.contacts == customer.contacts
    with pytest.raises(errors.NotFoundError):
        sdk.customers.get(old)


def test_existing_alias_raises_conflict_error(sdk: SdkClient) -> None:
    """The SDK doesn't retry."""
    alias = make_unique()
    sdk.create_customer(aliases=[alias])
    with pytest.raises(errors.ConflictError) as conflict:
        sdk.create_customer(aliases=[alias], request_options={"max_retries": 2})
    assert "retry-after" not in (conflict.value.headers or {})


def test_customers_are_listed_by_alias_and_email(sdk: SdkClient) -> None:
    alias, email = make_unique(), make_email()
    customer = sdk.create_customer(aliases=[alias], contacts=[types.ContactRequest(email=email, is_primary=True)])
    assert sdk.customers.list(alias=alias).data == [customer]
    page = sdk.customers.list(email=email, limit=1)
    assert (page.data, page.pagination.per_page, page.pagination.total_pages) == ([customer], 1, 1)


@pytest.mark.parametrize("limit", [1, 2, 3, None])
def test_paginate_returns_each_customer_once(sdk: SdkClient, limit: int | None) -> None:
    """Even if the last page is full."""
    email = make_email()
    contacts = [types.ContactRequest(email=email, is_primary=True)]
    created = [sdk.create_customer(name=f"Acme {number}", contacts=contacts) for number in range(4)]
    assert sdk.get_all(sdk.customers.list, email=email, limit=limit) == created


def test_subscriptions_are_listed_by_customer_and_status(sdk: SdkClient) -> None:
    customer = sdk.create_customer()
    [subscription] = sdk.get_all(sdk.subscriptions.list, customer_id=customer.id)
    assert isinstance(subscription, types.SubscriptionResponse)
    assert (subscription.customer_id, subscription.status) == (customer.id, "active")
    assert subscription.id
    assert subscription.name
    assert subscription.plan_id
    assert sdk.subscriptions.list(customer_id=customer.id, status=["draft", "active"]).data == [subscription]
    assert sdk.subscriptions.list(customer_id=customer.id, status="canceled").data == []


def test_portal_session_is_created_by_alias_and_by_id(sdk: SdkClient) -> None:
    alias = make_unique()
    customer = sdk.create_customer(aliases=[alias])
    for ident in ({"customer_alias": alias}, {"customer_id": customer.id}):
        session = sdk.portal.create_session(**ident)
        assert isinstance(session, types.CustomerPortalSessionResponse)
        assert session.customer_id == customer.id
        assert session.expires_at - session.created_at == timedelta(hours=1)
        assert abs(session.created_at - datetime.now(UTC)) < timedelta(minutes=1)
        assert httpx.get(session.url, trust_env=False).status_code == 200


def test_portal_session_supports_all_settings_of_the_sdk(sdk: SdkClient) -> None:
    name = make_unique("Company")
    customer = sdk.create_customer(name=name)
    session = sdk.portal.create_session(
        customer_id=customer.id,
        plan_overview_settings=types.PlanOverviewSettingsRequest(
            show_section=True, allow_subscription_cancel=False, allow_self_serve_change=False
        ),
        invoice_list_settings=types.InvoiceListSettingsRequest(show_section=False),
        billing_details_settings=types.BillingDetailsSettingsRequest(
            show_section=True, allow_autopay_edit=False, allow_payment_method_edit=False, allow_account_edit=False
        ),
    )
    page = httpx.get(session.url, trust_env=False).text
    assert name in page
    assert "INV-" not in page


def test_key_is_returned_and_replayed(sdk: SdkClient) -> None:
    """Another request with the same key is rejected."""
    key = make_unique("key")
    named = {"name": "Acme Corp", "currency": "USD", "idempotency_key": key}
    first, again = (sdk.customers.with_raw_response.create(**named) for _ in range(2))
    assert again.data == first.data
    assert [response.headers["idempotent-replayed"] for response in (first, again)] == ["false", "true"]
    assert {response.headers["idempotency-key"] for response in (first, again)} == {key}
    with pytest.raises(errors.UnprocessableEntityError) as bad_request:
        sdk.customers.create(**{**named, "name": "Other"})
    assert bad_request.value.body.type == "about:blank"


def test_sdk_generates_a_key_for_each_call(sdk: SdkClient) -> None:
    first, second = (sdk.customers.with_raw_response.create(name="Acme", currency="USD") for _ in range(2))
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]
    assert first.data.id != second.data.id


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, errors.BadRequestError),
        (401, errors.UnauthorizedError),
        (403, errors.ForbiddenError),
        (404, errors.NotFoundError),
        (409, errors.ConflictError),
        (422, errors.UnprocessableEntityError),
        (429, ApiError),  # the SDK has no class for it
        (500, errors.InternalServerError),
        (502, errors.BadGatewayError),
        (503, errors.ServiceUnavailableError),
        (504, errors.GatewayTimeoutError),
    ],
)
def test_each_documented_status_has_a_typed_error(sdk: SdkClient, status: int, error: type[ApiError]) -> None:
    """Errors can be pickled."""
    calls: list[Callable[[], Any]] = [
        lambda: sdk.portal.create_session(customer_id="cust_abc123", **with_fault(f"status={status}")),
        lambda: sdk.create_customer(**with_fault(f"status={status}")),
        lambda: sdk.customers.update("cust_abc123", name="Acme", **with_fault(f"status={status}")),
    ]
    for call in calls:
        with pytest.raises(error) as failed:
            call()
        assert failed.value.status_code == status
        assert str(failed.value).startswith(f"HTTP {status}: ")
        if isinstance(failed.value.body, types.ErrorResponse):
            assert (failed.value.body.status, bool(failed.value.body.detail)) == (status, True)
        again = pickle.loads(pickle.dumps(failed.value))
        assert isinstance(again, error)
        assert again.status_code == status


def test_gateway_errors_have_their_own_type(connect: Callable[..., SdkClient]) -> None:
    """The API key is wrong, or the error is simulated."""
    for sdk, options in ((connect(api_key="key_1.wrong"), {}), (connect(), with_fault("gateway"))):
        with pytest.raises(errors.UnauthorizedError) as unauthorized:
            sdk.portal.create_session(customer_id="cust_abc123", **options)
        assert isinstance(unauthorized.value.body, types.GatewayErrorResponse)
        assert unauthorized.value.body.code == "unauthenticated"


def test_unknown_version_raises_bad_request_error(connect: Callable[..., SdkClient]) -> None:
    with pytest.raises(errors.BadRequestError) as bad_request:
        connect(api_version="2020-01-01").customers.list()
    assert (bad_request.value.body.type, bool(bad_request.value.body.title)) == ("about:blank", True)


@pytest.mark.parametrize("status", [502, 503])
def test_html_page_raises_api_error(sdk: SdkClient, status: int) -> None:
    """It isn't an error of the class for its status."""
    with pytest.raises(ApiError) as failed:
        sdk.portal.create_session(customer_id="cust_abc123", **with_fault(f"html={status}"))
    assert failed.value.status_code == status
    assert "<h1>" in failed.value.body


def test_dropped_connection_raises_httpx_error(sdk: SdkClient) -> None:
    """The customer isn't created."""
    alias = make_unique()
    with pytest.raises(httpx.RemoteProtocolError):
        sdk.create_customer(aliases=[alias], **with_fault("drop"))
    with pytest.raises(errors.NotFoundError):
        sdk.customers.lookup(alias=alias)


def test_timeout_raises_httpx_error(sdk: SdkClient) -> None:
    with pytest.raises(httpx.ReadTimeout):
        sdk.customers.list(**with_fault("latency=1", timeout=0.1))


def test_sdk_waits_for_retry_after(sdk: SdkClient) -> None:
    start = time.monotonic()
    with pytest.raises(ApiError) as failed:
        sdk.customers.list(**with_fault("status=429; retry-after=1", max_retries=1))
    assert failed.value.status_code == 429
    assert 1 <= time.monotonic() - start < 5


def test_sdk_retries_409_with_retry_after(connect: Callable[..., SdkClient]) -> None:
    """The retry returns the response of the first request."""
    key, alias = make_unique("key"), make_unique()
    sdk = connect(max_retries=2)
    named = {"name": "Acme Corp", "currency": "USD", "aliases": [alias], "idempotency_key": key}
    with pytest.raises(httpx.ReadTimeout):
        # Like Alguna, the sandbox continues after the client has disconnected.
        sdk.customers.create(**named, **with_fault("latency=0.5", timeout=0.2, max_retries=0))
    response = sdk.customers.with_raw_response.create(**named)
    assert response.headers["idempotent-replayed"] == "true"
    assert response.data.aliases == [alias]
