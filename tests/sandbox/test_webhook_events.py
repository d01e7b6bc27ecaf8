"""Webhook events of changes in the portal, and their signatures."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.checks import run_checks

from alguna_portal.sandbox.engine.events import decode_secret, sign_message
from alguna_portal.sandbox.web import webhook_delivery
from tests.sandbox.conftest import CARD, COMPANY, SandboxClient, find_link, get_text
from tests.sandbox.webhook_receiver import WebhookReceiver, verify_message


def cancel(sandbox: SandboxClient) -> dict[str, Any]:
    """Cancel the subscription of a new customer; return it as it was before."""
    path = sandbox.create_portal()
    subscription = sandbox.get_data("/subscriptions")[0]
    after = sandbox.client.post(find_link(sandbox.client.get(path), "/cancel"), follow=True)
    assert "has been cancelled" in get_text(after)
    return subscription


def test_cancellation_sends_a_signed_message(sandbox: SandboxClient, receiver: WebhookReceiver, on_commit: Any) -> None:
    with on_commit():
        before = cancel(sandbox)
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
    assert verify_message(body, headers) == message


def test_signature_matches_the_example_in_svix_documentation() -> None:
    headers = sign_message(
        b'{"test": 2432232314}',
        key=decode_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        now=datetime.fromtimestamp(1614265330, UTC),
    )
    assert headers["svix-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_change_of_plan_sends_both_events(sandbox: SandboxClient, receiver: WebhookReceiver, on_commit: Any) -> None:
    """Repeating the change sends nothing."""
    path = sandbox.create_portal()
    address = find_link(sandbox.client.get(path), "/plan")
    with on_commit():
        sandbox.client.post(address, {"plan": "plan_growth"})
        sandbox.client.post(address, {"plan": "plan_growth"})
    webhook_delivery.wait_until_delivered()
    messages = [json.loads(body) for _, body in receiver.get_all()]
    assert [each["type"] for each in messages] == ["subscription.updated", "subscription.version.updated"]
    assert [each["data"]["name"] for each in messages] == ["Growth", "Growth"]


def test_other_changes_send_no_events(sandbox: SandboxClient, receiver: WebhookReceiver, on_commit: Any) -> None:
    with on_commit() as callbacks:
        path = sandbox.create_portal()
        sandbox.client.post(f"{path}/payment-method", CARD)
        sandbox.client.post(f"{path}/account", COMPANY)
        sandbox.client.post(f"{path}/auto-pay", {"auto_pay": "off"})
    assert "Auto-pay is off" in get_text(sandbox.client.get(f"{path}?notice=auto-pay-off"))
    assert callbacks == []


def test_nothing_is_sent_before_commit(sandbox: SandboxClient, receiver: WebhookReceiver, on_commit: Any) -> None:
    with on_commit(execute=False) as callbacks:
        cancel(sandbox)
    webhook_delivery.wait_until_delivered()
    assert len(callbacks) == 1
    assert receiver.get_all() == []


def test_failed_attempt_is_logged_without_secrets(
    sandbox: SandboxClient, receiver: WebhookReceiver, on_commit: Any, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.statuses = [500]
    with on_commit():
        cancel(sandbox)
    webhook_delivery.wait_until_delivered(hurry=True)
    (record,) = [record for record in caplog.records if record.name == "alguna_portal.sandbox.engine.events"]
    assert record.levelno == logging.WARNING
    assert re.search(
        r"^subscription\.canceled \(msg_\w+\) did not arrive at .*, again in 1 seconds: 500$", record.message
    )


def test_invalid_secret_is_reported_and_nothing_is_sent(
    sandbox: SandboxClient, receiver: WebhookReceiver, settings: Any, on_commit: Any, caplog: Any
) -> None:
    assert "alguna_sandbox.E004" not in {message.id for message in run_checks()}
    for secret in ("", "whsec_", "whsec_%", "c2FuZGJveA=="):
        settings.ALGUNA_SANDBOX_WEBHOOK_SECRET = secret
        assert "alguna_sandbox.E004" in {message.id for message in run_checks()}
    with on_commit() as callbacks:
        cancel(sandbox)
    assert callbacks == []
    assert "subscription.canceled: not sent, ALGUNA_SANDBOX_WEBHOOK_SECRET cannot be used" in caplog.text


def test_nothing_is_sent_without_a_url(sandbox: SandboxClient, on_commit: Any) -> None:
    with on_commit() as callbacks:
        cancel(sandbox)
    assert callbacks == []
