"""What the fake Alguna tells by webhook, for the users' own tests."""

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


def verified(message: WebhookMessage, secret: str) -> Any:
    """Verify a message as a receiver does."""
    headers = {name.replace("svix", "webhook"): value for name, value in message.headers.items()}
    return Webhook(secret).verify(message.body, headers)


def plans(fake: FakeAlguna) -> list[tuple[str, str]]:
    """Ask the fake for its subscriptions, as the app does."""
    headers = {
        "Authorization": f"Bearer {fake.settings['ALGUNA_PORTAL_API_KEY']}",
        "Alguna-Version": "2026-04-01",
    }
    answer = requests.get(f"{fake.settings['ALGUNA_PORTAL_API_URL']}/subscriptions", headers=headers, timeout=1)
    return [(each["plan_id"], each["status"]) for each in answer.json()["data"]]


def test_a_change_of_plan_has_messages_and_is_there_to_be_asked_for() -> None:
    """In that order: who is told and asks at once must find it."""
    with fake_alguna() as fake:
        fake.change_plan("42", "plan_growth")
        assert [message.type for message in fake.messages] == ["subscription.updated", "subscription.version.updated"]
        assert plans(fake) == [("plan_growth", "active")]
        fake.change_plan("42", "plan_growth")
        assert len(fake.messages) == 2
        fake.change_plan("42", "plan_of_your_own")
        assert plans(fake) == [("plan_of_your_own", "active")]


def test_a_cancellation_and_a_new_beginning() -> None:
    """Of one customer, whose id the messages name."""
    with fake_alguna(knows_everyone=False) as fake:
        customer_id = fake.add_customer("42")
        fake.cancel("42")
        fake.subscribe("42", "plan_enterprise")
        assert [message.type.partition(".")[2] for message in fake.messages] == ["canceled", "activated", "started"]
        assert {message.data["accountId"] for message in fake.messages} == {customer_id}
        assert plans(fake) == [("plan_starter", "canceled"), ("plan_enterprise", "active")]


def test_what_cannot_change_is_said() -> None:
    """Not with a KeyError out of the fake's insides."""
    with fake_alguna() as fake:
        fake.cancel("42")
        with pytest.raises(LookupError, match="No subscription of '42' runs: subscribe"):
            fake.cancel("42")
        fake.knows_everyone = False
        with pytest.raises(LookupError, match="knows no '43': add_customer"):
            fake.change_plan("43", "plan_growth")


def test_messages_are_signed_with_what_the_site_has(settings: Settings) -> None:
    """Its own secret for each fake, or the one that is given."""
    with fake_alguna() as first, fake_alguna(webhook_secret=SECRET) as second:
        assert settings.ALGUNA_PORTAL_WEBHOOK_SECRETS == [SECRET]
        for fake in (first, second):
            fake.cancel("42")
            (secret,) = fake.settings["ALGUNA_PORTAL_WEBHOOK_SECRETS"]
            assert verified(fake.messages[0], secret)["data"] == fake.messages[0].data
        with pytest.raises(WebhookVerificationError):
            verified(first.messages[0], SECRET)
        assert SECRET not in repr(second.messages)


got: list[tuple[str, Any]] = []


def view(request: HttpRequest) -> HttpResponse:
    """Be a site's own receiver."""
    got.append((request.headers["svix-id"], json.loads(request.body)))
    return HttpResponse(status=204)


urlpatterns = [path("hooks/", view)]


@pytest.mark.urls(__name__)
def test_a_message_is_posted_as_often_as_one_likes(client: Client) -> None:
    """To a path of the site's own, under one id."""
    got.clear()
    with fake_alguna() as fake:
        fake.cancel("42")
        (message,) = fake.messages
        assert [message.post(client, "/hooks/").status_code for _ in range(2)] == [204, 204]
    assert [ident for ident, _ in got] == [message.id] * 2
    assert got[0][1]["data"] == message.data


def test_by_itself_a_message_is_posted_to_the_app(client: Client, db: None) -> None:
    """Whose receiver takes what the fake has signed."""
    with fake_alguna() as fake:
        fake.cancel("42")
        assert fake.messages[0].post(client).status_code == 204
    with fake_alguna():
        assert fake.messages[0].post(client).status_code == 400
