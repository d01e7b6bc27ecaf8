"""Replayed, mixed and reordered webhooks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from pytest_django import Settings

from alguna_portal.models import WebhookDelivery
from tests.support.webhooks import SECRET, create_message, post_message, register_receiver, sign_message

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _secret(settings: Settings) -> Iterator[None]:
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = [SECRET]
    with register_receiver("*"):
        yield


def test_a_replayed_delivery_is_not_handled_again() -> None:
    """At first its id is known; later its timestamp is too old, and it can't be changed."""
    body = create_message("invoice.paid", id="inv_1")
    caught = sign_message(body, ident="msg_1")
    with register_receiver("invoice.paid") as received:
        assert [post_message(body, caught) for _ in range(3)] == [204] * 3
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=6)):
            assert post_message(body, caught) == 400
            now = str(int(datetime.now(UTC).timestamp()))
            assert post_message(body, caught | {"svix-timestamp": now}) == 400
        assert post_message(body, caught | {"svix-id": "msg_2"}) == 400
    assert len(received) == 1


def test_a_signature_is_invalid_for_another_message() -> None:
    paid, issued = create_message("invoice.paid"), create_message("invoice.issued")
    assert post_message(issued, sign_message(paid)) == 400
    assert not WebhookDelivery.objects.exists()


def test_headers_with_different_prefixes_are_not_mixed() -> None:
    body = create_message()
    svix, standard = sign_message(body, ident="a"), sign_message(body, ident="b", name="webhook")
    mixed = {"svix-id": "c", **{name: value for name, value in standard.items() if name != "webhook-id"}}
    assert post_message(body, mixed) == 400
    assert post_message(body, svix | {"webhook-id": "evil"}) == 204
    assert WebhookDelivery.objects.get().message_id == "a"


def test_messages_in_any_order_are_handled_once() -> None:
    """test_plan_sync.py tests that the result doesn't depend on the order."""
    bodies = [create_message("invoice.issued", number=number) for number in range(4)]
    deliveries = [(body, sign_message(body, ident=f"msg_{number}")) for number, body in enumerate(bodies)]
    with register_receiver("*") as received:
        for number in (2, 0, 3, 2, 1, 0):
            assert post_message(*deliveries[number]) == 204
    assert [event.data["number"] for event in received] == [2, 0, 3, 1]
