"""Our own client: each of its requests is as the document has it, and it understands what both doors answer."""

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
from tests.contract.conftest import Door, unused
from tests.contract.document import SERVER, contract

pytestmark = pytest.mark.xdist_group("contract")

SESSION = {
    "id": "a8B3kLmQ",
    "customer_id": "cust_abc123",
    "url": "https://portal.alguna.io/hs/abc123",
    "created_at": "2026-04-01T10:00:00Z",
    "expires_at": "2026-04-01T11:00:00Z",
    "sessionUrl": "https://portal.alguna.io/hs/abc123",
}

flags = st.sampled_from([None, True, False])


def section(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Make sections with every field on, off or unset."""
    return st.builds(kind, **dict.fromkeys(kind.__dataclass_fields__, flags))


portal_settings = st.builds(
    PortalSettings,
    plan_overview_settings=section(PlanOverviewSettings),
    invoice_list_settings=section(InvoiceListSettings),
    billing_details_settings=section(BillingDetailsSettings),
)
# As a host may write its own ids: any text that `Customer.alias` takes, whole numbers, UUIDs.
aliases = st.one_of(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=255),
    st.integers(min_value=1),
    st.uuids(),
)


def sent_by(version: str, alias: object, wanted: PortalSettings) -> requests.PreparedRequest:
    """Let the client ask for a session; return the request as it left."""
    with (
        override_settings(ALGUNA_PORTAL_API_VERSION=version, ALGUNA_PORTAL_API_URL=SERVER),
        responses.RequestsMock() as http,
    ):
        http.add("POST", f"{SERVER}/customer-portal-sessions", json=SESSION)
        http.add("POST", f"{SERVER}/portal/customer-session/customer-portal", json=SESSION)
        http.assert_all_requests_are_fired = False
        AlgunaClient.from_settings().create_portal_session(alias, wanted)
        [call] = http.calls
        request: requests.PreparedRequest = call.request
        return request


@given(alias=aliases, wanted=portal_settings)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_each_request_for_a_session_is_as_the_document_has_it(alias: object, wanted: PortalSettings) -> None:
    """Whatever the alias and the settings, and with a key for its retries."""
    request = sent_by("2026-04-01", alias, wanted)
    contract().check_request(request, at=SERVER)
    assert contract().operation(request, at=SERVER) == "createPortalSession"
    assert UUID(request.headers["Idempotency-Key"]).version == 4
    assert json.loads(request.body or b"") == {"customer_alias": str(alias), **wanted.payload()}


@given(alias=aliases, wanted=portal_settings)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_each_request_to_the_earlier_api_is_as_the_document_has_it(alias: object, wanted: PortalSettings) -> None:
    """Whatever the settings: what that API lacks does not go out under another name."""
    request = sent_by("legacy", alias, wanted)
    contract().check_request(request, at=SERVER)
    assert contract().operation(request, at=SERVER) == "createLegacyPortalSession"
    assert "Alguna-Version" not in request.headers
    assert json.loads(request.body or b"")["accountAlias"] == str(alias)


Ask = Callable[..., Any]


@pytest.fixture
def ask(door: Door) -> Iterator[Ask]:
    """Our client's call for a session at a door, once and without retries."""

    def create(alias: str, wanted: PortalSettings | None = None, **named: Any) -> Any:
        return AlgunaClient.from_settings().create_portal_session(alias, wanted or PortalSettings(), **named)

    with override_settings(
        DEBUG=True,  # so that the served sandbox's portal, http on this machine, is let through
        ALGUNA_PORTAL_API_URL=door.url,
        ALGUNA_PORTAL_API_KEY=door.api_key,
        ALGUNA_PORTAL_URL_HOSTS=["portal.alguna.io", "127.0.0.1"],
    ):
        yield create


def test_our_client_opens_a_session(door: Door, ask: Ask) -> None:
    """By alias, for the customer that has it, with an hour to live."""
    alias = unused("Müller & Söhne/")
    customer = door.customer(aliases=[alias])
    session = ask(alias, PortalSettings.parse({"plan_overview_settings": {"allow_subscription_cancel": False}}))
    assert (session.customer_id, session.life) == (customer["id"], timedelta(hours=1))
    assert session.url != ask(alias).url


def test_our_client_opens_a_session_by_the_earlier_api(door: Door, ask: Ask) -> None:
    """Its life is what the settings say."""
    alias = unused()
    door.customer(aliases=[alias])
    with override_settings(ALGUNA_PORTAL_API_VERSION="legacy", ALGUNA_PORTAL_SESSION_SECONDS=300):
        session = ask(alias)
        assert session.life == timedelta(seconds=300)
        with pytest.raises(CustomerUnknown):
            ask(unused())


def test_our_client_knows_an_unknown_customer(ask: Ask) -> None:
    """From all other refusals."""
    with pytest.raises(CustomerUnknown):
        ask(unused())


def test_our_client_knows_a_wrong_key(ask: Ask) -> None:
    """By the gateway's 401."""
    with override_settings(ALGUNA_PORTAL_API_KEY="key_1.wrong"), pytest.raises(AuthenticationFailed):
        ask(unused())


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
def test_our_client_tells_every_documented_failure(
    door: Door, ask: Ask, monkeypatch: pytest.MonkeyPatch, fault: str, failure: type[AlgunaError]
) -> None:
    """Each by the exception that a host would expect, with the status and the time to wait."""
    alias = unused()
    door.customer(aliases=[alias])
    meet(monkeypatch, fault)
    with pytest.raises(failure) as failed:
        ask(alias)
    assert type(failed.value) is failure
    assert str(failed.value.status) == ("401" if fault == "gateway" else fault.partition(";")[0].partition("=")[2])
    if failure is AlgunaUnavailable:
        assert failed.value.retry_after == (float(fault[-1]) if "retry-after" in fault else None)


def test_our_client_survives_a_dropped_connection(
    served: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At the served sandbox: it tries again, with the same key, and gets its session."""
    alias = unused()
    customer = served.customer(aliases=[alias])
    meet(monkeypatch, "drop", times=1)
    with override_settings(
        DEBUG=True,
        ALGUNA_PORTAL_API_URL=served.url,
        ALGUNA_PORTAL_API_KEY=served.api_key,
        ALGUNA_PORTAL_URL_HOSTS=["127.0.0.1"],
        ALGUNA_PORTAL_RETRIES=2,
    ):
        session = AlgunaClient.from_settings().create_portal_session(alias, PortalSettings())
    assert session.customer_id == customer["id"]
    assert "cannot be reached" in caplog.text


def meet(monkeypatch: pytest.MonkeyPatch, fault: str, *, times: int = 1) -> None:
    """Let the client's next requests, which it knows nothing of, meet a fault."""
    left = [fault] * times

    def send_in_bad_weather(*args: Any, headers: dict[str, str], **named: Any) -> Any:
        met = {"Alguna-Sandbox-Fault": left.pop()} if left else {}
        return send_request(*args, headers={**headers, **met}, **named)

    monkeypatch.setattr("alguna_portal.api.retries.send_request", send_in_bad_weather)
