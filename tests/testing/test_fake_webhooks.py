"""Webhook messages of the fake."""

import json
from typing import Any

import pytest
import requests
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings
from standardwebhooks import Webhook, WebhookVerificationError

from alguna_portal.testing import FakeAlguna, WebhookMessage, fake_alguna

SECRET = "whsec_b2Ygb3VyIG93bg=="


def verify(message: WebhookMessage, secret: str) -> Any:
    """Verify a message with the official library; return its JSON."""
    headers = {name.replace("svix", "webhook"): value for name, value in message.headers.items()}
    return Webhook(secret).verify(message.body, headers)


def get_subscriptions(fake: FakeAlguna) -> list[tuple[str, str]]:
    """Return plan and status of the subscriptions in the fake's API."""
    headers = {
        "Authorization": f"Bearer {fake.settings['ALGUNA_PORTAL_API_KEY']}",
        "Alguna-Version": "2026-04-01",
    }
    response = requests.get(f"{fake.settings['ALGUNA_PORTAL_API_URL']}/subscriptions", headers=headers, timeout=1)
    return [(each["plan_id"], each["status"]) for each in response.json()["data"]]


def test_change_of_plan_creates_messages_and_is_visible_in_the_api() -> None:
    with fake_alguna() as fake:
        fake.change_plan("42", "plan_growth")
        assert [message.type for message in fake.messages] == ["subscription.updated", "subscription.version.updated"]
        assert get_subscriptions(fake) == [("plan_growth", "active")]
        fake.change_plan("42", "plan_growth")
        assert len(fake.messages) == 2
        fake.change_plan("42", "plan_of_your_own")
        assert get_subscriptions(fake) == [("plan_of_your_own", "active")]


def test_cancellation_and_new_subscription_create_messages() -> None:
    with fake_alguna(knows_everyone=False) as fake:
        customer_id = fake.add_customer("42")
        fake.cancel("42")
        fake.subscribe("42", "plan_enterprise")
        assert [message.type.partition(".")[2] for message in fake.messages] == ["canceled", "activated", "started"]
        assert {message.data["accountId"] for message in fake.messages} == {customer_id}
        assert get_subscriptions(fake) == [("plan_starter", "canceled"), ("plan_enterprise", "active")]


def test_lookup_error_explains_what_is_missing() -> None:
    with fake_alguna() as fake:
        fake.cancel("42")
        with pytest.raises(LookupError, match="No subscription of '42' runs: subscribe"):
            fake.cancel("42")
        fake.knows_everyone = False
        with pytest.raises(LookupError, match="knows no '43': add_customer"):
            fake.change_plan("43", "plan_growth")


def test_messages_are_signed_with_the_webhook_secret(settings: Settings) -> None:
    """Each fake has its own secret, unless one is given."""
    with fake_alguna() as first, fake_alguna(webhook_secret=SECRET) as second:
        assert settings.ALGUNA_PORTAL_WEBHOOK_SECRETS == [SECRET]
        for fake in (first, second):
            fake.cancel("42")
            (secret,) = fake.settings["ALGUNA_PORTAL_WEBHOOK_SECRETS"]
            assert verify(fake.messages[0], secret)["data"] == fake.messages[0].data
        with pytest.raises(WebhookVerificationError):
            verify(first.messages[0], SECRET)
        assert SECRET not in repr(second.messages)


received: list[tuple[str, Any]] = []


def receive(request: HttpRequest) -> HttpResponse:
    """Record a message like a view of the host project."""
    received.append((request.headers["svix-id"], json.loads(request.body)))
    return HttpResponse(status=204)


urlpatterns = [path("hooks/", receive)]


@pytest.mark.urls(__name__)
def test_message_can_be_posted_repeatedly_to_any_path(client: Client) -> None:
    """It keeps its id."""
    received.clear()
    with fake_alguna() as fake:
        fake.cancel("42")
        (message,) = fake.messages
        assert [message.post(client, "/hooks/").status_code for _ in range(2)] == [204, 204]
    assert [ident for ident, _ in received] == [message.id] * 2
    assert received[0][1]["data"] == message.data


def test_message_is_posted_to_the_app_by_default(client: Client, db: None) -> None:
    """The app verifies its signature."""
    with fake_alguna() as fake:
        fake.cancel("42")
        assert fake.messages[0].post(client).status_code == 204
    with fake_alguna():
        assert fake.messages[0].post(client).status_code == 400
