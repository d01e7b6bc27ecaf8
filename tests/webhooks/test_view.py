"""Webhook endpoint: signatures, invalid bodies, and what responses and logs reveal."""

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pytest_django import Settings

from alguna_portal.models import WebhookDelivery
from alguna_portal.signals import webhook_received
from alguna_portal.views.webhooks import webhook
from alguna_portal.webhooks import Event
from alguna_portal.webhooks.inbox import receive_message
from alguna_portal.webhooks.signatures import LARGEST_BODY
from tests.support.webhooks import SECRET, WEBHOOK, create_message, post_message, register_receiver, sign_message

OTHER = "whsec_YW5vdGhlciBzZWNyZXQ="

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _secret(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = [SECRET]


def get_refusal(caplog: pytest.LogCaptureFixture) -> str:
    """Return the logged reason of the only rejected delivery."""
    (record,) = [record for record in caplog.records if getattr(record, "event", "") == "webhook_refused"]
    assert not WebhookDelivery.objects.exists()
    return str(record.__dict__["reason"])


@pytest.mark.parametrize("name", ["svix", "webhook"])
def test_a_signed_message_is_handled(name: str) -> None:
    """With the headers of Svix and of Standard Webhooks."""
    with register_receiver("invoice.paid") as received:
        assert post_message(create_message("invoice.paid", id="inv_1"), ident="msg_a", name=name) == 204
    (event,) = received
    assert (event.id, event.type, event.data) == ("msg_a", "invoice.paid", {"id": "inv_1"})
    assert event.timestamp == datetime(2026, 11, 22, 4, tzinfo=UTC)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.message_id, delivery.type) == ("handled", "msg_a", "invoice.paid")


def test_each_of_several_secrets_is_accepted(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = [OTHER, SECRET]
    assert post_message(create_message()) == 204
    assert post_message(create_message(), secret=OTHER) == 204
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = [OTHER]
    assert post_message(create_message()) == 400


def test_one_of_several_signatures_is_enough() -> None:
    body = create_message()
    ours, theirs = sign_message(body, ident="m"), sign_message(body, ident="m", secret=OTHER)
    both = ours | {"svix-signature": f"v1a,eHg= {theirs['svix-signature']} {ours['svix-signature']}"}
    assert post_message(body, both) == 204


def test_the_endpoint_does_not_exist_without_secrets(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = []
    assert post_message(create_message()) == 404
    assert Client().get(WEBHOOK).status_code == 404


def test_only_post_is_allowed() -> None:
    for method in ("get", "head", "put", "delete", "options"):
        response = getattr(Client(), method)(WEBHOOK)
        assert (response.status_code, response["Allow"]) == (405, "POST")


def test_the_endpoint_is_exempt_from_login_required_middleware(settings: Settings) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    assert post_message(create_message()) == 204


def test_an_invalid_secret_raises_improperly_configured(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = ["whsec_no base64!"]
    with pytest.raises(ImproperlyConfigured, match="WEBHOOK_SECRETS"):
        post_message(create_message())


@pytest.mark.parametrize("late", [timedelta(minutes=-6), timedelta(minutes=6)])
def test_old_and_future_deliveries_are_rejected(late: timedelta, caplog: pytest.LogCaptureFixture) -> None:
    assert post_message(create_message(), at=datetime.now(UTC) + late) == 400
    assert "timestamp too" in get_refusal(caplog)


def test_a_changed_body_is_rejected(caplog: pytest.LogCaptureFixture) -> None:
    body = create_message()
    assert post_message(body + b" ", sign_message(body)) == 400
    assert get_refusal(caplog) == "No matching signature found."


@pytest.mark.parametrize("missing", ["id", "timestamp", "signature"])
def test_a_delivery_without_a_header_is_rejected(missing: str, caplog: pytest.LogCaptureFixture) -> None:
    body = create_message()
    headers = sign_message(body)
    assert post_message(body, headers | {f"svix-{missing}": ""}) == 400
    assert get_refusal(caplog) == "It lacks the headers svix-id, svix-timestamp and svix-signature."


@pytest.mark.parametrize(
    ("header", "value"),
    [
        *(("signature", value) for value in ("v1", "v1,", "v1,%%%", "v2,eHg=", ",", " ", "v1,eHg=,x", "v1,é")),
        ("signature", "nonsense" * 1000),
        *(("timestamp", value) for value in ("", "x", "nan", "inf", "1e400", "-1", "99999999999999999999", "٣")),
    ],
)
def test_invalid_signatures_and_timestamps_are_rejected(header: str, value: str) -> None:
    body = create_message()
    assert post_message(body, sign_message(body) | {f"svix-{header}": value}) == 400


def create_body(time: str) -> bytes:
    """Return a body with a timestamp."""
    return json.dumps({"type": "a.b", "timestamp": time, "data": {}}).encode()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "It is no JSON."),
        (b"{", "It is no JSON."),
        (b"\xff\xfe", "Its headers or its body cannot be read."),
        (b"null", "It is no JSON object."),
        (b"[]", "It is no JSON object."),
        (b'"text"', "It is no JSON object."),
        (b"1", "It is no JSON object."),
        (b"[" * 100_000, "It is no JSON."),
        (b'{"type": NaN}', "It is no JSON."),
        (b"{}", "Its type is none."),
        (b'{"type": "a.b", "timestamp": "2026-11-22T04:00:00Z"}', "Its data is no JSON object."),
        (b'{"type": "a.b", "timestamp": "2026-11-22T04:00:00Z", "data": []}', "Its data is no JSON object."),
        (b'{"type": "a.b", "timestamp": 7, "data": {}}', "Its timestamp is no time as in RFC 3339."),
        (b'{"type": "a.b", "data": {}}', "Its timestamp is no time as in RFC 3339."),
        (create_body("2026-11-22T04:00:00"), "Its timestamp has no time zone."),
        (create_body("yesterday"), "Its timestamp is no time as in RFC 3339."),
        (create_body("0001-01-01T00:00:00+14:00"), "Its timestamp is no time as in RFC 3339."),
        (create_body("1999-12-31T23:59:59Z"), "Its timestamp is of another century."),
        (create_body("2100-01-01T00:00:00Z"), "Its timestamp is of another century."),
        (b'{"type": "", "timestamp": "2026-11-22T04:00:00Z", "data": {}}', "Its type is none."),
        (b'{"type": "a\\nb", "timestamp": "2026-11-22T04:00:00Z", "data": {}}', "Its type is none."),
        (b'{"type": null, "timestamp": "2026-11-22T04:00:00Z", "data": {}}', "Its type is none."),
        (b'{"type": "a.b", "timestamp": "2026-11-22T04:00:00Z", "data": {"x": "\\ud800"}}', "It is no JSON."),
        (b'{"type": "' + b"a" * 256 + b'", "timestamp": "2026-11-22T04:00:00Z", "data": {}}', "Its type is none."),
        (b'{"n": ' + b"1" * 5000 + b"}", "It is no JSON."),
    ],
)
def test_invalid_bodies_are_rejected(body: bytes, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """The log contains the reason, but not the content."""
    caplog.set_level(logging.DEBUG)
    headers = sign_message(body if body != b"\xff\xfe" else b"")
    assert post_message(body, headers) == 400
    assert get_refusal(caplog) == reason


@pytest.mark.parametrize("time", ["2000-01-01T00:00:00Z", "2099-12-31T23:59:59Z", "2026-11-22t04:00:00z"])
def test_timestamps_of_this_century_are_accepted(time: str) -> None:
    with register_receiver("a.b") as received:
        assert post_message(create_body(time)) == 204
    assert received[0].timestamp == datetime.fromisoformat(time.upper())


def test_unusual_but_valid_bodies_are_stored() -> None:
    """With NUL, which PostgreSQL's JSON type rejects, and with thousands of keys."""
    with register_receiver("*") as received:
        assert (
            post_message(create_message("a.b", text="\x00", **{f"key{number}": number for number in range(2000)}))
            == 204
        )
    assert received[0].data["text"] == "\x00"


def test_an_id_that_is_too_long_is_rejected(caplog: pytest.LogCaptureFixture) -> None:
    assert post_message(create_message(), ident="m" * 255) == 204
    WebhookDelivery.objects.all().delete()
    assert post_message(create_message(), ident="m" * 256) == 400
    assert get_refusal(caplog) == "Its id is none."


def test_the_size_of_a_body_is_limited(caplog: pytest.LogCaptureFixture) -> None:
    empty = len(create_message("a.b", text=""))
    assert post_message(create_message("a.b", text="x" * (LARGEST_BODY - empty))) == 204
    WebhookDelivery.objects.all().delete()
    assert post_message(create_message("a.b", text="x" * (LARGEST_BODY - empty + 1))) == 400
    assert "more than 262144 bytes" in get_refusal(caplog)


def test_an_incomplete_body_is_rejected(rf: Any, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def read(self, size: int = 0) -> bytes:
            raise OSError("connection reset")

    request = rf.post(WEBHOOK, b"x", content_type="application/json", headers=sign_message(b"x"))
    request._stream = Broken()
    assert webhook(request).status_code == 400
    assert get_refusal(caplog) == "It broke off."


def test_the_endpoint_runs_outside_atomic_requests(settings: Settings) -> None:
    assert "default" in webhook._non_atomic_requests  # type: ignore[attr-defined]


def test_logs_contain_no_secrets_and_no_content(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def fail(event: Any) -> None:
        raise ValueError(f"ann@example.com {event.data}")

    body = create_message("customer.updated", email="ann@example.com")
    with register_receiver("customer.updated", then=fail):
        assert post_message(body) == 503
        assert post_message(body, sign_message(body, secret=OTHER)) == 400
    assert post_message(create_message("x.y", email="ann@example.com")) == 204
    log = "".join(record.getMessage() + str(record.__dict__) + str(record.exc_info or "") for record in caplog.records)
    assert "webhook_failed" in log
    assert not any(leak in log for leak in ("ann@", SECRET, SECRET[6:], OTHER[6:]))


def test_responses_are_empty_and_not_cached() -> None:
    body = create_message()
    response = Client().post(WEBHOOK, body, content_type="application/json", headers=sign_message(body))
    assert (response["Cache-Control"], response.content) == ("no-store", b"")
    response = Client().post(WEBHOOK, body, content_type="application/json")
    assert (response["Cache-Control"], response.content, response.status_code) == ("no-store", b"", 400)


def test_the_signal_contains_the_event() -> None:
    received = []

    def receiver(event: Any, **_: Any) -> None:
        received.append((event.type, event.data))

    webhook_received.connect(receiver, sender=WebhookDelivery)
    try:
        post_message(create_message("invoice.issued", id="inv_1"))
    finally:
        webhook_received.disconnect(receiver, sender=WebhookDelivery)
    assert received == [("invoice.issued", {"id": "inv_1"})]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Garbage(TestCase):
    """Random requests, signed or not."""

    @given(
        body=st.binary(max_size=200)
        | JSON_VALUES.map(lambda value: json.dumps(value).encode())
        | st.fixed_dictionaries({"type": JSON_VALUES, "timestamp": JSON_VALUES, "data": JSON_VALUES}).map(
            lambda value: json.dumps(value).encode()
        ),
        is_signed=st.booleans(),
        headers=st.dictionaries(
            st.sampled_from(["svix-id", "svix-timestamp", "svix-signature", "webhook-id"]),
            st.text(st.characters(min_codepoint=32, max_codepoint=255)),
        ),
    )
    def test_it_causes_no_errors(self, body: bytes, headers: dict[str, str], *, is_signed: bool) -> None:
        try:
            genuine = sign_message(body) if is_signed else {}
        except UnicodeEncodeError:
            genuine = {}
        assert post_message(body, genuine | headers) in (204, 400)


@pytest.mark.django_db
def test_a_lost_connection_has_the_message_sent_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Django's InterfaceError isn't a DatabaseError."""

    def lost(*_: object, **__: object) -> None:
        raise InterfaceError("connection already closed")

    monkeypatch.setattr("alguna_portal.webhooks.inbox.process_delivery", lost)
    timestamp = datetime(2026, 11, 21, tzinfo=UTC)
    assert receive_message(Event(id="m", type="invoice.paid", timestamp=timestamp, data={})) is False
