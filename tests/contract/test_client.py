"""The app's own client against the document, the fake and the served sandbox."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import requests
import responses
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from alguna_portal.api.client import AlgunaClient
from alguna_portal.api.transport import send_request
from alguna_portal.exceptions import (
    AlgunaError,
    AlgunaRefused,
    AlgunaUnavailable,
    AuthenticationFailed,
    CustomerUnknown,
    UnexpectedResponse,
)
from alguna_portal.portal_settings import (
    BillingDetailsSettings,
    InvoiceListSettings,
    PlanOverviewSettings,
    PortalSettings,
)
from tests.contract.conftest import ApiClient, make_unique
from tests.contract.document import SERVER, SESSION, get_contract

pytestmark = pytest.mark.xdist_group("contract")

ALL_SESSION_FIELDS = {**SESSION, "sessionUrl": SESSION["url"]}


def create_section_strategy(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Return sections with each setting on, off or unset."""
    return st.builds(kind, **dict.fromkeys(kind.__dataclass_fields__, st.sampled_from([None, True, False])))


portal_settings = st.builds(
    PortalSettings,
    plan_overview_settings=create_section_strategy(PlanOverviewSettings),
    invoice_list_settings=create_section_strategy(InvoiceListSettings),
    billing_details_settings=create_section_strategy(BillingDetailsSettings),
)
# Ids of the host project: any text that `Customer.alias` accepts, integers and UUIDs.
aliases = st.one_of(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=255),
    st.integers(min_value=1),
    st.uuids(),
)


def capture_request(version: str, alias: object, wanted: PortalSettings) -> requests.PreparedRequest:
    """Return the request that the client sends to create a session."""
    with (
        override_settings(ALGUNA_PORTAL_API_VERSION=version, ALGUNA_PORTAL_API_URL=SERVER),
        responses.RequestsMock() as http,
    ):
        http.add("POST", f"{SERVER}/customer-portal-sessions", json=ALL_SESSION_FIELDS)
        http.add("POST", f"{SERVER}/portal/customer-session/customer-portal", json=ALL_SESSION_FIELDS)
        http.assert_all_requests_are_fired = False
        AlgunaClient.from_settings().create_portal_session(alias, wanted)
        [call] = http.calls
        request: requests.PreparedRequest = call.request
        return request


@given(alias=aliases, wanted=portal_settings)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_requests_for_sessions_match_the_document(alias: object, wanted: PortalSettings) -> None:
    request = capture_request("2026-04-01", alias, wanted)
    get_contract().check_request(request, at=SERVER)
    assert get_contract().get_operation(request, at=SERVER) == "createPortalSession"
    assert UUID(request.headers["Idempotency-Key"]).version == 4
    assert json.loads(request.body or b"") == {"customer_alias": str(alias), **wanted.payload()}


@given(alias=aliases, wanted=portal_settings)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_requests_to_the_legacy_api_match_the_document(alias: object, wanted: PortalSettings) -> None:
    """Settings that it doesn't have aren't sent."""
    request = capture_request("legacy", alias, wanted)
    get_contract().check_request(request, at=SERVER)
    assert get_contract().get_operation(request, at=SERVER) == "createLegacyPortalSession"
    assert "Alguna-Version" not in request.headers
    assert json.loads(request.body or b"")["accountAlias"] == str(alias)


CreateSession = Callable[..., Any]


@pytest.fixture
def create_session(api: ApiClient) -> Iterator[CreateSession]:
    """Create a session with the app's client, without retries."""

    def create(alias: str, wanted: PortalSettings | None = None, **named: Any) -> Any:
        return AlgunaClient.from_settings().create_portal_session(alias, wanted or PortalSettings(), **named)

    with override_settings(
        DEBUG=True,  # allows the portal of the served sandbox, which uses http
        ALGUNA_PORTAL_API_URL=api.url,
        ALGUNA_PORTAL_API_KEY=api.api_key,
        ALGUNA_PORTAL_URL_HOSTS=["portal.alguna.io", "127.0.0.1"],
    ):
        yield create


def test_client_creates_a_session(api: ApiClient, create_session: CreateSession) -> None:
    alias = make_unique("Müller & Söhne/")
    customer = api.create_customer(aliases=[alias])
    session = create_session(
        alias, PortalSettings.parse({"plan_overview_settings": {"allow_subscription_cancel": False}})
    )
    assert (session.customer_id, session.life) == (customer["id"], timedelta(hours=1))
    assert session.url != create_session(alias).url


def test_client_creates_a_session_with_the_legacy_api(api: ApiClient, create_session: CreateSession) -> None:
    alias = make_unique()
    api.create_customer(aliases=[alias])
    with override_settings(ALGUNA_PORTAL_API_VERSION="legacy", ALGUNA_PORTAL_SESSION_SECONDS=300):
        session = create_session(alias)
        assert session.life == timedelta(seconds=300)
        with pytest.raises(CustomerUnknown):
            create_session(make_unique())


def test_client_detects_unknown_customers_and_wrong_api_keys(create_session: CreateSession) -> None:
    with pytest.raises(CustomerUnknown):
        create_session(make_unique())
    with override_settings(ALGUNA_PORTAL_API_KEY="key_1.wrong"), pytest.raises(AuthenticationFailed):
        create_session(make_unique())


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ("gateway", AuthenticationFailed),
        ("status=400", AlgunaRefused),
        ("status=401", AuthenticationFailed),
        ("status=403", AuthenticationFailed),
        ("status=404", CustomerUnknown),
        ("status=409", AlgunaRefused),
        ("status=409; retry-after=1", AlgunaUnavailable),
        ("status=422", AlgunaRefused),
        ("status=429; retry-after=7", AlgunaUnavailable),
        ("status=500", AlgunaUnavailable),
        ("status=502", AlgunaUnavailable),
        ("html=502", AlgunaUnavailable),
        ("status=503", AlgunaUnavailable),
        ("status=504", AlgunaUnavailable),
        ("html=200", UnexpectedResponse),
    ],
)
def test_client_raises_the_exception_for_each_failure(
    api: ApiClient,
    create_session: CreateSession,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    failure: type[AlgunaError],
) -> None:
    """It has the status and the seconds of Retry-After."""
    alias = make_unique()
    api.create_customer(aliases=[alias])
    simulate_fault(monkeypatch, fault)
    with pytest.raises(failure) as failed:
        create_session(alias)
    assert type(failed.value) is failure
    assert str(failed.value.status) == ("401" if fault == "gateway" else fault.partition(";")[0].partition("=")[2])
    if failure is AlgunaUnavailable:
        assert failed.value.retry_after == (float(fault[-1]) if "retry-after" in fault else None)


@pytest.mark.parametrize("api", ["served_api"], indirect=True)
def test_client_retries_after_a_dropped_connection(
    api: ApiClient, create_session: CreateSession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alias = make_unique()
    customer = api.create_customer(aliases=[alias])
    simulate_fault(monkeypatch, "drop")
    with override_settings(ALGUNA_PORTAL_RETRIES=2):
        session = create_session(alias)
    assert session.customer_id == customer["id"]
    assert "cannot be reached" in caplog.text


def simulate_fault(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """Add the header of a simulated fault to the client's next request."""
    remaining = [fault]

    def send_with_fault(*args: Any, headers: dict[str, str], **named: Any) -> Any:
        extra = {"Alguna-Sandbox-Fault": remaining.pop()} if remaining else {}
        return send_request(*args, headers={**headers, **extra}, **named)

    monkeypatch.setattr("alguna_portal.api.retries.send_request", send_with_fault)
