"""The legacy API: the same sessions with other requests and responses."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import responses
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured, ValidationError
from pytest_django import Settings

from alguna_portal.conf import conf
from alguna_portal.exceptions import UnexpectedResponse, UnsafePortalURL
from alguna_portal.models import Customer
from alguna_portal.sessions import open_session
from tests.conftest import API

URL = f"{API}/portal/customer-session/customer-portal"
ACME = Customer(alias="acme-1")


@pytest.fixture(autouse=True)
def _legacy(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_API_VERSION = "legacy"


@pytest.fixture
def sent() -> Iterator[Any]:
    """The requests that the legacy API gets; each response has a new URL."""
    requests: list[Any] = []

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        requests.append(request)
        return 200, {}, json.dumps({"sessionUrl": f"https://portal.alguna.io/s/{len(requests)}"})

    with responses.RequestsMock(assert_all_requests_are_fired=False) as http:
        http.add_callback("POST", URL, callback=answer)
        yield requests


def test_request_has_the_format_of_the_portal_guide(sent: Any) -> None:
    """Alias and sections in camelCase, the key, and no version."""
    own = {
        "plan_overview_settings": {"show_section": True, "allow_subscription_cancel": False},
        "invoice_list_settings": {"show_section": False},
        "billing_details_settings": {"show_section": True},
    }
    assert open_session(Customer(alias=42, portal_settings=own)).url == "https://portal.alguna.io/s/1"
    assert json.loads(sent[0].body) == {
        "accountAlias": "42",
        "planOverviewSettings": {"showSection": True, "allowSubscriptionCancel": False},
        "invoiceListSettings": {"showSection": False},
        "billingDetailsSettings": {"showSection": True},
    }
    assert sent[0].headers["Authorization"] == "Bearer key_1.secret-of-the-tests"
    assert "Alguna-Version" not in sent[0].headers
    assert UUID(sent[0].headers["Idempotency-Key"]).version == 4


@pytest.mark.parametrize(
    ("role", "portal_settings"),
    [
        ("manager", {}),
        ("viewer", {"planOverviewSettings": {"allowSubscriptionCancel": False},
                    "billingDetailsSettings": {"showSection": False}}),
    ],
)  # fmt: skip
def test_viewers_do_not_see_billing_details(sent: Any, role: str, portal_settings: dict[str, Any]) -> None:
    """This API can't forbid edits. Unset fields aren't sent."""
    open_session(ACME, role=role)
    assert json.loads(sent[0].body) == {"accountAlias": "acme-1", **portal_settings}


def test_time_limit_is_that_of_the_dated_api(sent: Any, settings: Settings) -> None:
    settings.ALGUNA_PORTAL_TIME_BUDGET = 4
    open_session(ACME, user=User(pk=1))
    assert 0 < sent[0].req_kwargs["timeout"][1] <= 3


def test_lifetime_of_a_session_is_the_setting(sent: Any, settings: Settings) -> None:
    """The response has neither an expiry nor an id to compare."""
    settings.ALGUNA_PORTAL_SESSION_SECONDS = 120
    user, customer = User(pk=1), Customer(alias="acme-1", customer_id="cust_1")
    session = open_session(customer, user=user)
    assert session.life.total_seconds() == pytest.approx(120)
    assert open_session(customer, user=user).url == session.url
    settings.ALGUNA_PORTAL_EXPIRY_MARGIN = 119
    assert open_session(customer, user=user).url == session.url
    settings.ALGUNA_PORTAL_EXPIRY_MARGIN = 121
    assert open_session(customer, user=user).url == "https://portal.alguna.io/s/2"


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        ({}, UnexpectedResponse, "no “sessionUrl”"),
        ({"sessionUrl": ""}, UnexpectedResponse, "no “sessionUrl”"),
        ({"sessionUrl": 7}, UnexpectedResponse, "no “sessionUrl”"),
        ({"url": "https://portal.alguna.io/"}, UnexpectedResponse, "no “sessionUrl”"),
        ({"sessionUrl": "https://evil.example/"}, UnsafePortalURL, "is refused"),
    ],
)
def test_response_without_a_safe_url_is_rejected(answer: dict[str, Any], kind: type[Exception], text: str) -> None:
    with responses.RequestsMock() as http:
        http.add("POST", URL, json=answer)
        with pytest.raises(kind, match=text):
            open_session(ACME)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["DEFAULTS", "PLANS"])
def test_unsupported_fields_are_reported(settings: Settings, name: str) -> None:
    """In settings, by the system checks and for customers: the legacy API would ignore them."""
    wrong = {"billing_details_settings": {"allow_autopay_edit": False}}
    setattr(settings, f"ALGUNA_PORTAL_{name}", wrong if name == "DEFAULTS" else {"pro": wrong})
    problem = "“billing_details_settings.allow_autopay_edit” is not in the earlier API"
    with pytest.raises(ImproperlyConfigured, match=problem):
        getattr(conf, name)
    assert any(problem in message.msg for message in run_checks())
    with pytest.raises(ValidationError, match=problem):
        Customer(alias="acme-1", portal_settings=wrong).clean_fields()
    settings.ALGUNA_PORTAL_API_VERSION = "2026-04-01"
    getattr(conf, name)
    Customer(alias="acme-1", portal_settings=wrong).clean_fields()
