"""What Django's error reports show, which are mailed to ADMINS: no secret, no portal URL and nobody's address."""

from collections.abc import Callable

import pytest
import responses
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.template import TemplateDoesNotExist
from django.test import RequestFactory
from django.views.debug import ExceptionReporter
from pytest_django import Settings

from alguna_portal.api.client import AlgunaClient
from alguna_portal.conf import conf
from alguna_portal.exceptions import AlgunaError, CustomerMismatch
from alguna_portal.views import webhook
from alguna_portal.views.responses import redirect_page
from tests.conftest import API

SECRET = "whsec_dGhlLXNlY3JldC1vZi10aGUtdGVzdHM="
ADDRESS = "john@private.example"


def report(failure: type[BaseException], action: Callable[[], object]) -> str:
    """Let something fail; return what the report of it says, without the frames of this module."""
    with pytest.raises(failure) as caught:
        action()
    frames = ExceptionReporter(None, caught.type, caught.value, caught.tb).get_traceback_frames()
    return repr([frame["vars"] for frame in frames if __file__ not in frame["filename"]]) + str(caught.value)


@pytest.fixture
def request_of_somebody(rf: RequestFactory) -> HttpRequest:
    """Any request."""
    return rf.post("/billing/webhook/")


def test_a_key_that_cannot_be_used_is_not_shown(settings: Settings) -> None:
    """A line break at its end, say."""
    settings.ALGUNA_PORTAL_API_KEY = "key_1.secret-half\n"
    said = report(ImproperlyConfigured, lambda: conf.API_KEY)
    assert "ALGUNA_PORTAL_API_KEY" in said
    assert "secret-half" not in said


@pytest.mark.parametrize("wrong", [f"{SECRET}\n", "whsec_!!dGhlLXNlY3JldC1vZi10aGUtdGVzdHM="])
def test_a_webhook_secret_that_cannot_be_used_is_not_shown(settings: Settings, wrong: str) -> None:
    """Nor are those beside it."""
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = [SECRET, wrong]
    assert "dGhlLXNlY3JldC1v" not in report(ImproperlyConfigured, lambda: conf.WEBHOOK_SECRETS)


def test_the_webhook_secrets_are_not_shown_where_something_else_is_wrong(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, request_of_somebody: HttpRequest
) -> None:
    """The view has them at hand."""

    def read(*_: object) -> None:
        raise ImproperlyConfigured("Something else.")

    monkeypatch.setattr("alguna_portal.views.webhooks.parse_message", read)
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = [SECRET]
    assert SECRET not in report(ImproperlyConfigured, lambda: webhook(request_of_somebody))


def test_no_portal_url_is_shown_where_a_template_is_broken(
    settings: Settings, request_of_somebody: HttpRequest
) -> None:
    """The page that goes on to the portal may be the host's own."""
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "APP_DIRS": False}]
    url = "https://portal.alguna.io/hs/token1"
    assert url not in report(TemplateDoesNotExist, lambda: redirect_page(request_of_somebody, url))


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.create_customer(alias=ADDRESS, name="John", currency="EUR", email=ADDRESS),
        lambda client: client.find_customer(ADDRESS),
    ],
)
def test_nobodys_address_is_shown_where_alguna_refuses(ask: Callable[[AlgunaClient], object]) -> None:
    """Neither what was asked nor what was answered."""
    with responses.RequestsMock() as http:
        answer = {"detail": f"No {ADDRESS}."}
        http.add("GET", f"{API}/customers/lookup", status=400, json=answer)
        http.add("POST", f"{API}/customers", status=400, json=answer)
        http.assert_all_requests_are_fired = False
        assert ADDRESS not in report(AlgunaError, lambda: ask(AlgunaClient.from_settings()))


@pytest.mark.parametrize(
    ("path", "answer", "ask"),
    [
        (
            "/subscriptions",
            {"data": [{"customer_id": "cust_2", "status": "active", "contact": ADDRESS}]},
            lambda client: client.subscriptions("cust_1"),
        ),
        ("/customers/cust_1", {"id": "cust_2", "aliases": [ADDRESS]}, lambda client: client.aliases("cust_1")),
    ],
)
def test_no_strangers_address_is_shown(
    path: str, answer: dict[str, object], ask: Callable[[AlgunaClient], object]
) -> None:
    """An answer about somebody else is refused, and not passed on with the refusal."""
    with responses.RequestsMock() as http:
        http.add("GET", f"{API}{path}", json=answer)
        assert ADDRESS not in report(CustomerMismatch, lambda: ask(AlgunaClient.from_settings()))
