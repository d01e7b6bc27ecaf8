"""The earlier API: the same portal by other words, and nothing above the client notices."""

import json
from typing import Any
from uuid import UUID

import pytest
import requests
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

ADDRESS = f"{API}/portal/customer-session/customer-portal"


@pytest.fixture(autouse=True)
def _legacy(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_API_VERSION = "legacy"


@pytest.fixture
def asked(request: pytest.FixtureRequest) -> Any:
    """The requests that the earlier API gets; each is answered with a URL of its own."""
    got: list[requests.PreparedRequest] = []

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        got.append(request)
        return 200, {}, json.dumps({"sessionUrl": f"https://portal.alguna.io/s/{len(got)}"})

    with responses.RequestsMock(assert_all_requests_are_fired=False) as http:
        http.add_callback("POST", ADDRESS, callback=answer)
        yield got


def test_a_session_is_asked_for_in_the_guides_words(asked: Any) -> None:
    """Alias and sections in camelCase, the key, and no version."""
    own = {
        "plan_overview_settings": {"show_section": True, "allow_subscription_cancel": False},
        "invoice_list_settings": {"show_section": False},
        "billing_details_settings": {"show_section": True},
    }
    session = open_session(Customer(alias=42, portal_settings=own))
    assert session.url == "https://portal.alguna.io/s/1"
    assert json.loads(asked[0].body) == {
        "accountAlias": "42",
        "planOverviewSettings": {"showSection": True, "allowSubscriptionCancel": False},
        "invoiceListSettings": {"showSection": False},
        "billingDetailsSettings": {"showSection": True},
    }
    assert asked[0].headers["Authorization"] == "Bearer key_1.secret-of-the-tests"
    assert "Alguna-Version" not in asked[0].headers
    assert UUID(asked[0].headers["Idempotency-Key"]).version == 4


def test_it_has_no_longer_than_the_dated_api(asked: Any, settings: Settings) -> None:
    """Its share of the click's time."""
    settings.ALGUNA_PORTAL_TIME_BUDGET = 4
    open_session(Customer(alias="acme-1"), user=User(pk=1))
    assert 0 < asked[0].req_kwargs["timeout"][1] <= 3


def test_what_is_unset_is_left_out(asked: Any) -> None:
    """The organization's defaults hold there, too."""
    open_session(Customer(alias="acme-1"))
    assert json.loads(asked[0].body) == {"accountAlias": "acme-1"}


def test_what_cannot_be_forbidden_is_hidden_from_a_viewer(asked: Any) -> None:
    """The earlier API lets everyone edit billing details who sees them; so a viewer does not see them."""
    open_session(Customer(alias="acme-1"), role="viewer")
    assert json.loads(asked[0].body) == {
        "accountAlias": "acme-1",
        "planOverviewSettings": {"allowSubscriptionCancel": False},
        "billingDetailsSettings": {"showSection": False},
    }


def test_a_session_lives_as_long_as_the_setting_says(asked: Any, settings: Settings) -> None:
    """The answer has no expiry; and no id that could be another customer's."""
    settings.ALGUNA_PORTAL_SESSION_SECONDS = 120
    user, customer = User(pk=1), Customer(alias="acme-1", customer_id="cust_1")
    session = open_session(customer, user=user)
    assert session.life.total_seconds() == pytest.approx(120)
    assert open_session(customer, user=user).url == session.url
    settings.ALGUNA_PORTAL_EXPIRY_MARGIN = 119
    assert open_session(customer, user=user).url == session.url
    settings.ALGUNA_PORTAL_EXPIRY_MARGIN = 121
    assert open_session(customer, user=user).url == "https://portal.alguna.io/s/2"


@pytest.mark.parametrize("answer", [{}, {"sessionUrl": ""}, {"sessionUrl": 7}, {"url": "https://portal.alguna.io/"}])
def test_an_answer_without_a_url_is_refused(answer: dict[str, Any]) -> None:
    """As it is with the dated API."""
    with responses.RequestsMock() as http:
        http.add("POST", ADDRESS, json=answer)
        with pytest.raises(UnexpectedResponse, match="no “sessionUrl”"):
            open_session(Customer(alias="acme-1"))


def test_a_url_elsewhere_is_refused() -> None:
    """The same hosts are allowed."""
    with responses.RequestsMock() as http:
        http.add("POST", ADDRESS, json={"sessionUrl": "https://evil.example/"})
        with pytest.raises(UnsafePortalURL):
            open_session(Customer(alias="acme-1"))


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["DEFAULTS", "PLANS"])
def test_fields_that_it_lacks_are_settings_errors(settings: Settings, name: str) -> None:
    """Nobody believes to have forbidden what is not."""
    wrong = {"billing_details_settings": {"allow_autopay_edit": False}}
    setattr(settings, f"ALGUNA_PORTAL_{name}", wrong if name == "DEFAULTS" else {"pro": wrong})
    said = "“billing_details_settings.allow_autopay_edit” is not in the earlier API"
    with pytest.raises(ImproperlyConfigured, match=said):
        getattr(conf, name)
    assert any(said in message.msg for message in run_checks())
    with pytest.raises(ValidationError, match=said):
        Customer(alias="acme-1", portal_settings=wrong).clean_fields()
    settings.ALGUNA_PORTAL_API_VERSION = "2026-04-01"
    getattr(conf, name)
    Customer(alias="acme-1", portal_settings=wrong).clean_fields()
