"""What the sandbox tells by webhook."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.checks import run_checks
from standardwebhooks import Webhook

from alguna_portal.sandbox.engine.events import decode_secret, sign_message
from alguna_portal.sandbox.web import webhook_delivery
from tests.sandbox.conftest import CARD, COMPANY, Door, link, text
from tests.sandbox.receiving import SECRET, Receiver


def cancel(door: Door) -> dict[str, Any]:
    """Cancel a new customer's subscription; return it as it was."""
    path = door.portal(door.customer())
    subscription: dict[str, Any] = json.loads(door.ask("GET", "/subscriptions").content)["data"][0]
    after = door.client.post(link(door.client.get(path), "/cancel"), follow=True)
    assert "has been cancelled" in text(after)
    return subscription


def test_a_cancellation_is_told_and_signed(
    door: Door, receiver: Receiver, django_capture_on_commit_callbacks: Any
) -> None:
    """camelCase, without a plan, and signed over id, time and body."""
    with django_capture_on_commit_callbacks(execute=True):
        before = cancel(door)
    headers, body = receiver.get()
    message = json.loads(body)
    assert set(message) == {"type", "timestamp", "data"}
    assert message["type"] == "subscription.canceled"
    data = message["data"]
    assert set(data) == {"id", "accountId", "name", "status", "currency", "createdAt", "updatedAt"}
    assert (data["id"], data["accountId"]) == (before["id"], before["customer_id"])
    assert (data["name"], data["status"], data["currency"]) == ("Starter", "canceled", "USD")
    assert headers["content-type"] == "application/json"
    assert abs(int(headers["svix-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    assert Webhook(SECRET).verify(body, {name.replace("svix", "webhook"): headers[name] for name in headers}) == message


def test_the_signature_is_the_one_that_svix_documents() -> None:
    """The example of its page on verifying by hand."""
    headers = sign_message(
        b'{"test": 2432232314}',
        key=decode_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        now=datetime.fromtimestamp(1614265330, UTC),
    )
    assert headers["svix-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_change_of_plan_is_told(door: Door, receiver: Receiver, django_capture_on_commit_callbacks: Any) -> None:
    """By both events that may be meant for it, once each, however often the button is pressed."""
    path = door.portal(door.customer())
    address = link(door.client.get(path), "/plan")
    with django_capture_on_commit_callbacks(execute=True):
        door.client.post(address, {"plan": "plan_growth"})
        door.client.post(address, {"plan": "plan_growth"})
    webhook_delivery.wait_until_delivered()
    told = [json.loads(body) for _, body in receiver.every()]
    assert [each["type"] for each in told] == ["subscription.updated", "subscription.version.updated"]
    assert [each["data"]["name"] for each in told] == ["Growth", "Growth"]


def test_what_no_event_is_known_for_is_not_told(
    door: Door, receiver: Receiver, django_capture_on_commit_callbacks: Any
) -> None:
    """A new customer, a card, the company's details, auto-pay."""
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        path = door.portal(door.customer())
        door.client.post(f"{path}/payment-method", CARD)
        door.client.post(f"{path}/account", COMPANY)
        door.client.post(f"{path}/auto-pay", {"auto_pay": "off"})
    assert "Auto-pay is off" in text(door.client.get(f"{path}?notice=auto-pay-off"))
    assert callbacks == []


def test_nothing_is_told_before_it_is_written(
    door: Door, receiver: Receiver, django_capture_on_commit_callbacks: Any
) -> None:
    """A transaction that has not ended tells nothing."""
    with django_capture_on_commit_callbacks(execute=False) as callbacks:
        cancel(door)
    webhook_delivery.wait_until_delivered()
    assert len(callbacks) == 1
    assert receiver.every() == []


def test_a_failure_is_logged_and_never_shown(
    door: Door, receiver: Receiver, django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the message's key nor its signature is."""
    receiver.statuses = [500]
    with django_capture_on_commit_callbacks(execute=True):
        cancel(door)
    webhook_delivery.wait_until_delivered(hurry=True)
    (record,) = [record for record in caplog.records if record.name == "alguna_portal.sandbox.engine.events"]
    assert record.levelno == logging.WARNING
    assert re.search(
        r"^subscription\.canceled \(msg_\w+\) did not arrive at .*, again in 1 seconds: 500$", record.message
    )


def test_a_secret_that_is_none_is_reported_and_nothing_is_sent(
    door: Door, receiver: Receiver, settings: Any, django_capture_on_commit_callbacks: Any, caplog: Any
) -> None:
    """A check says so before; the visitor sees nothing of it."""
    assert "alguna_sandbox.E004" not in {message.id for message in run_checks()}
    for secret in ("", "whsec_", "whsec_%", "c2FuZGJveA=="):
        settings.ALGUNA_SANDBOX_WEBHOOK_SECRET = secret
        assert "alguna_sandbox.E004" in {message.id for message in run_checks()}
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        cancel(door)
    assert callbacks == []
    assert "subscription.canceled: not sent, ALGUNA_SANDBOX_WEBHOOK_SECRET cannot be used" in caplog.text


def test_without_an_address_nothing_is_sent(door: Door, django_capture_on_commit_callbacks: Any) -> None:
    """As it is by default."""
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        cancel(door)
    assert callbacks == []
