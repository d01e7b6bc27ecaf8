"""What the sandbox tells by webhook."""

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from threading import Thread
from threading import enumerate as threads
from typing import Any

import pytest
from django.core.checks import run_checks

from alguna_portal.sandbox.events import key_of, signed_headers

from .conftest import Door, link, text

SECRET = "whsec_c2FuZGJveC1zZWNyZXQ="


@dataclass
class Receiver:
    """A host's webhook on a socket: what it got, and what it answers."""

    url: str
    got: "Queue[tuple[dict[str, str], bytes]]"
    status: int = 200


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """A receiver that the sandbox is set to tell."""
    got: Queue[tuple[dict[str, str], bytes]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.put(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(host.status)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        host = Receiver(url=f"http://127.0.0.1:{server.server_port}/webhook", got=got)
        settings.ALGUNA_SANDBOX_WEBHOOK_URL = host.url
        settings.ALGUNA_SANDBOX_WEBHOOK_SECRET = SECRET
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield host
        wait_for_messages()
        server.shutdown()


def wait_for_messages() -> None:
    """Wait until nothing is on its way any more."""
    for thread in threads():
        if thread.name == "alguna-sandbox-webhook":
            thread.join(10)


def cancel(door: Door) -> dict[str, Any]:
    """Cancel a new customer's subscription; return it as it was."""
    path = door.portal(door.customer())
    subscription: dict[str, Any] = json.loads(door.ask("GET", "/subscriptions").content)["data"][0]
    after = door.client.post(link(door.client.get(path), "/cancel"), follow=True)
    assert "has been canceled" in text(after)
    return subscription


def test_a_cancellation_is_told_and_signed(
    door: Door, receiver: Receiver, django_capture_on_commit_callbacks: Any
) -> None:
    """camelCase, without a plan, and signed over id, time and body."""
    with django_capture_on_commit_callbacks(execute=True):
        before = cancel(door)
    headers, body = receiver.got.get(timeout=10)
    message = json.loads(body)
    assert set(message) == {"type", "timestamp", "data"}
    assert message["type"] == "subscription.canceled"
    data = message["data"]
    assert set(data) == {"id", "accountId", "name", "status", "currency", "createdAt", "updatedAt"}
    assert (data["id"], data["accountId"]) == (before["id"], before["customer_id"])
    assert (data["name"], data["status"], data["currency"]) == ("Starter", "canceled", "USD")
    assert headers["content-type"] == "application/json"
    assert abs(int(headers["svix-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    signed = f"{headers['svix-id']}.{headers['svix-timestamp']}.".encode() + body
    digest = hmac.new(b"sandbox-secret", signed, hashlib.sha256).digest()
    assert headers["svix-signature"] == f"v1,{base64.b64encode(digest).decode()}"


def test_the_signature_is_the_one_that_svix_documents() -> None:
    """The example of its page on verifying by hand."""
    headers = signed_headers(
        b'{"test": 2432232314}',
        key=key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        now=datetime.fromtimestamp(1614265330, UTC),
    )
    assert headers["svix-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_change_of_plan_is_told(door: Door, receiver: Receiver, django_capture_on_commit_callbacks: Any) -> None:
    """Once, however often the button is pressed."""
    path = door.portal(door.customer())
    address = link(door.client.get(path), "/plan")
    with django_capture_on_commit_callbacks(execute=True):
        door.client.post(address, {"plan": "plan_growth"})
        door.client.post(address, {"plan": "plan_growth"})
    message = json.loads(receiver.got.get(timeout=10)[1])
    assert (message["type"], message["data"]["name"]) == ("subscription.updated", "Growth")
    wait_for_messages()
    assert receiver.got.empty()


def test_nothing_is_told_before_it_is_written(
    door: Door, receiver: Receiver, django_capture_on_commit_callbacks: Any
) -> None:
    """A transaction that is rolled back tells nothing."""
    with django_capture_on_commit_callbacks(execute=False) as callbacks:
        cancel(door)
    wait_for_messages()
    assert len(callbacks) == 1
    assert receiver.got.empty()


def test_a_failure_is_logged_and_never_shown(
    door: Door, receiver: Receiver, django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An error as well as nobody there."""
    receiver.status = 500
    with django_capture_on_commit_callbacks(execute=True):
        cancel(door)
    wait_for_messages()
    (record,) = [record for record in caplog.records if record.name.startswith("alguna_portal.sandbox")]
    assert record.levelno == logging.WARNING
    assert "subscription.canceled did not arrive" in record.message


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
    assert "ALGUNA_SANDBOX_WEBHOOK_SECRET cannot be used" in caplog.text


def test_without_an_address_nothing_is_sent(door: Door, django_capture_on_commit_callbacks: Any) -> None:
    """As it is by default."""
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        cancel(door)
    assert callbacks == []
