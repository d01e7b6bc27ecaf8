"""Django's error reports, which are emailed to ADMINS: they show no secrets, portal URLs or email addresses."""

from collections.abc import Callable

import pytest
import responses
from django.core.exceptions import ImproperlyConfigured
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


def get_report(kind: type[BaseException], function: Callable[[], object]) -> str:
    """Return the error report of a function that raises, without the frames of this module."""
    with pytest.raises(kind) as caught:
        function()
    frames = ExceptionReporter(None, caught.type, caught.value, caught.tb).get_traceback_frames()
    return repr([frame["vars"] for frame in frames if __file__ not in frame["filename"]]) + str(caught.value)


def test_invalid_key_is_not_shown(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_API_KEY = "key_1.secret-half\n"
    text = get_report(ImproperlyConfigured, lambda: conf.API_KEY)
    assert "ALGUNA_PORTAL_API_KEY" in text
    assert "secret-half" not in text


@pytest.mark.parametrize("wrong", [f"{SECRET}\n", "whsec_!!dGhlLXNlY3JldC1vZi10aGUtdGVzdHM="])
def test_invalid_webhook_secret_is_not_shown(settings: Settings, wrong: str) -> None:
    """Nor are the other secrets in the list."""
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = [SECRET, wrong]
    assert "dGhlLXNlY3JldC1v" not in get_report(ImproperlyConfigured, lambda: conf.WEBHOOK_SECRETS)


def test_webhook_secrets_are_not_shown_for_other_errors(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, rf: RequestFactory
) -> None:
    """The view has them in a variable."""

    def fail(*_: object) -> None:
        raise ImproperlyConfigured("Something else.")

    monkeypatch.setattr("alguna_portal.views.webhooks.parse_message", fail)
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = [SECRET]
    assert SECRET not in get_report(ImproperlyConfigured, lambda: webhook(rf.post("/billing/webhook/")))


def test_portal_url_is_not_shown_if_a_template_is_missing(settings: Settings, rf: RequestFactory) -> None:
    """Projects can override the template of the redirect page."""
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "APP_DIRS": False}]
    url = "https://portal.alguna.io/hs/token1"
    assert url not in get_report(TemplateDoesNotExist, lambda: redirect_page(rf.get("/billing/"), url))


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.create_customer(alias=ADDRESS, name="John", currency="EUR", email=ADDRESS),
        lambda client: client.find_customer(ADDRESS),
    ],
)
def test_address_is_not_shown_if_alguna_rejects_the_request(call: Callable[[AlgunaClient], object]) -> None:
    """Neither from the request nor from the response."""
    with responses.RequestsMock() as http:
        answer = {"detail": f"No {ADDRESS}."}
        http.add("GET", f"{API}/customers/lookup", status=400, json=answer)
        http.add("POST", f"{API}/customers", status=400, json=answer)
        http.assert_all_requests_are_fired = False
        assert ADDRESS not in get_report(AlgunaError, lambda: call(AlgunaClient.from_settings()))


@pytest.mark.parametrize(
    ("path", "answer", "call"),
    [
        (
            "/subscriptions",
            {"data": [{"customer_id": "cust_2", "status": "active", "contact": ADDRESS}]},
            lambda client: client.subscriptions("cust_1"),
        ),
        ("/customers/cust_1", {"id": "cust_2", "aliases": [ADDRESS]}, lambda client: client.aliases("cust_1")),
    ],
)
def test_address_of_another_customer_is_not_shown(
    path: str, answer: dict[str, object], call: Callable[[AlgunaClient], object]
) -> None:
    """The response is rejected."""
    with responses.RequestsMock() as http:
        http.add("GET", f"{API}{path}", json=answer)
        assert ADDRESS not in get_report(CustomerMismatch, lambda: call(AlgunaClient.from_settings()))
