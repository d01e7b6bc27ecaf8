"""The webhook's door: who signs is heard, once; everybody else is refused, and nobody is told more than that."""

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
from tests.support.webhooks import SECRET, WEBHOOK, listening, message, signed, tell

OTHER = "whsec_YW5vdGhlciBzZWNyZXQ="

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _secret(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = [SECRET]


def refusal(caplog: pytest.LogCaptureFixture) -> str:
    """Return what the log says of the one delivery that was refused."""
    (record,) = [record for record in caplog.records if getattr(record, "event", "") == "webhook_refused"]
    assert not WebhookDelivery.objects.exists()
    return str(record.__dict__["reason"])


@pytest.mark.parametrize("name", ["svix", "webhook"])
def test_a_signed_message_is_heard(name: str) -> None:
    """Under the names of Svix and of Standard Webhooks."""
    with listening("invoice.paid") as heard:
        assert tell(message("invoice.paid", id="inv_1"), ident="msg_a", name=name) == 204
    (event,) = heard
    assert (event.id, event.type, event.data) == ("msg_a", "invoice.paid", {"id": "inv_1"})
    assert event.timestamp == datetime(2026, 11, 22, 4, tzinfo=UTC)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.message_id, delivery.type) == ("handled", "msg_a", "invoice.paid")


def test_either_secret_will_do_while_one_is_replaced(settings: Settings) -> None:
    """And the old one no longer, once it is gone."""
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = [OTHER, SECRET]
    assert tell(message()) == 204
    assert tell(message(), secret=OTHER) == 204
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = [OTHER]
    assert tell(message()) == 400


def test_one_of_several_signatures_will_do() -> None:
    """Svix signs with the old and the new secret while one is replaced."""
    body = message()
    ours, theirs = signed(body, ident="m"), signed(body, ident="m", secret=OTHER)
    both = ours | {"svix-signature": f"v1a,eHg= {theirs['svix-signature']} {ours['svix-signature']}"}
    assert tell(body, both) == 204


def test_without_a_secret_there_is_nothing_here(settings: Settings) -> None:
    """Whatever the method."""
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = []
    assert tell(message()) == 404
    assert Client().get(WEBHOOK).status_code == 404


def test_only_post_is_answered() -> None:
    """And nobody has to sign in."""
    for method in ("get", "head", "put", "delete", "options"):
        response = getattr(Client(), method)(WEBHOOK)
        assert (response.status_code, response["Allow"]) == (405, "POST")


def test_a_login_required_middleware_lets_alguna_in(settings: Settings) -> None:
    """It has no account here."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    assert tell(message()) == 204


def test_a_wrong_secret_in_the_settings_is_loud(settings: Settings) -> None:
    """It is nothing that a resend would mend."""
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = ["whsec_no base64!"]
    with pytest.raises(ImproperlyConfigured, match="WEBHOOK_SECRETS"):
        tell(message())


@pytest.mark.parametrize("late", [timedelta(minutes=-6), timedelta(minutes=6)])
def test_a_replayed_delivery_is_too_old(late: timedelta, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever caught one cannot send it again later; and a clock that is off is named in the log."""
    assert tell(message(), at=datetime.now(UTC) + late) == 400
    assert "timestamp too" in refusal(caplog)


def test_a_body_that_was_changed_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """By a single space."""
    body = message()
    assert tell(body + b" ", signed(body)) == 400
    assert refusal(caplog) == "No matching signature found."


@pytest.mark.parametrize("missing", ["id", "timestamp", "signature"])
def test_a_delivery_without_its_headers_is_refused(missing: str, caplog: pytest.LogCaptureFixture) -> None:
    """Left out, or empty."""
    body = message()
    headers = signed(body)
    assert tell(body, headers | {f"svix-{missing}": ""}) == 400
    assert refusal(caplog) == "It lacks the headers svix-id, svix-timestamp and svix-signature."


@pytest.mark.parametrize(
    "signature", ["v1", "v1,", "v1,%%%", "v2,eHg=", ",", " ", "v1,eHg=,x", "v1,é", "nonsense" * 1000]
)
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    """And never an error of ours."""
    body = message()
    assert tell(body, signed(body) | {"svix-signature": signature}) == 400


@pytest.mark.parametrize("at", ["", "x", "nan", "inf", "1e400", "-1", "99999999999999999999", "٣"])
def test_a_timestamp_that_is_none_is_refused(at: str) -> None:
    """And never an error of ours."""
    body = message()
    assert tell(body, signed(body) | {"svix-timestamp": at}) == 400


def said_at(time: str) -> bytes:
    """Write a message that says when it was written."""
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
        (said_at("2026-11-22T04:00:00"), "Its timestamp has no time zone."),
        (said_at("yesterday"), "Its timestamp is no time as in RFC 3339."),
        (said_at("0001-01-01T00:00:00+14:00"), "Its timestamp is no time as in RFC 3339."),
        (said_at("1999-12-31T23:59:59Z"), "Its timestamp is of another century."),
        (said_at("2100-01-01T00:00:00Z"), "Its timestamp is of another century."),
        (b'{"type": "", "timestamp": "2026-11-22T04:00:00Z", "data": {}}', "Its type is none."),
        (b'{"type": "a\\nb", "timestamp": "2026-11-22T04:00:00Z", "data": {}}', "Its type is none."),
        (b'{"type": null, "timestamp": "2026-11-22T04:00:00Z", "data": {}}', "Its type is none."),
        (b'{"type": "a.b", "timestamp": "2026-11-22T04:00:00Z", "data": {"x": "\\ud800"}}', "It is no JSON."),
        (b'{"type": "' + b"a" * 256 + b'", "timestamp": "2026-11-22T04:00:00Z", "data": {}}', "Its type is none."),
        (b'{"n": ' + b"1" * 5000 + b"}", "It is no JSON."),
    ],
)
def test_what_cannot_be_read_is_refused_even_when_it_is_signed(
    body: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """400, with the reason in the log and nothing of the content."""
    caplog.set_level(logging.DEBUG)
    headers = signed(body if body != b"\xff\xfe" else b"")
    assert tell(body, headers) == 400
    assert refusal(caplog) == reason


@pytest.mark.parametrize("time", ["2000-01-01T00:00:00Z", "2099-12-31T23:59:59Z", "2026-11-22t04:00:00z"])
def test_a_time_of_this_century_is_read(time: str) -> None:
    """To its ends, and in small letters, too."""
    with listening("a.b") as heard:
        assert tell(said_at(time)) == 204
    assert heard[0].timestamp == datetime.fromisoformat(time.upper())


def test_what_is_strange_and_can_be_read_is_kept() -> None:
    """A NUL, which PostgreSQL has no place for in JSON; and thousands of keys."""
    with listening("*") as heard:
        assert tell(message("a.b", text="\x00", **{f"key{number}": number for number in range(2000)})) == 204
    assert heard[0].data["text"] == "\x00"


def test_an_id_that_is_none_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """Too long for its column."""
    assert tell(message(), ident="m" * 255) == 204
    WebhookDelivery.objects.all().delete()
    assert tell(message(), ident="m" * 256) == 400
    assert refusal(caplog) == "Its id is none."


def test_a_body_has_a_largest_size(caplog: pytest.LogCaptureFixture) -> None:
    """It is not even read to its end."""
    empty = len(message("a.b", text=""))
    assert tell(message("a.b", text="x" * (LARGEST_BODY - empty))) == 204
    WebhookDelivery.objects.all().delete()
    assert tell(message("a.b", text="x" * (LARGEST_BODY - empty + 1))) == 400
    assert "more than 262144 bytes" in refusal(caplog)


def test_a_body_that_breaks_off_is_refused(rf: Any, caplog: pytest.LogCaptureFixture) -> None:
    """As when the connection is lost."""

    class Broken:
        def read(self, size: int = 0) -> bytes:
            raise OSError("connection reset")

    request = rf.post(WEBHOOK, b"x", content_type="application/json", headers=signed(b"x"))
    request._stream = Broken()
    assert webhook(request).status_code == 400
    assert refusal(caplog) == "It broke off."


def test_no_transaction_of_the_host_is_open(settings: Settings) -> None:
    """ATOMIC_REQUESTS would undo the row where a receiver fails."""
    assert "default" in webhook._non_atomic_requests  # type: ignore[attr-defined]


def test_no_log_and_no_answer_holds_a_secret_or_what_was_said(caplog: pytest.LogCaptureFixture) -> None:
    """Not of messages that are refused, handled, or fail."""
    caplog.set_level(logging.DEBUG)

    def fail(event: Any) -> None:
        raise ValueError(f"ann@example.com {event.data}")

    body = message("customer.updated", email="ann@example.com")
    with listening("customer.updated", then=fail):
        assert tell(body) == 503
        assert tell(body, signed(body, secret=OTHER)) == 400
    assert tell(message("x.y", email="ann@example.com")) == 204
    said = "".join(record.getMessage() + str(record.__dict__) + str(record.exc_info or "") for record in caplog.records)
    assert "webhook_failed" in said
    assert not any(leak in said for leak in ("ann@", SECRET, SECRET[6:], OTHER[6:]))


def test_the_answers_are_private_and_empty() -> None:
    """Whoever tries gets nothing to go by."""
    body = message()
    response = Client().post(WEBHOOK, body, content_type="application/json", headers=signed(body))
    assert (response["Cache-Control"], response.content) == ("no-store", b"")
    response = Client().post(WEBHOOK, body, content_type="application/json")
    assert (response["Cache-Control"], response.content, response.status_code) == ("no-store", b"", 400)


def test_the_signal_has_the_event() -> None:
    """With its type and data."""
    heard = []

    def receiver(event: Any, **_: Any) -> None:
        heard.append((event.type, event.data))

    webhook_received.connect(receiver, sender=WebhookDelivery)
    try:
        tell(message("invoice.issued", id="inv_1"))
    finally:
        webhook_received.disconnect(receiver, sender=WebhookDelivery)
    assert heard == [("invoice.issued", {"id": "inv_1"})]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Garbage(TestCase):
    """Whatever is sent, signed or not."""

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
    def test_it_is_never_an_error_of_ours(self, body: bytes, headers: dict[str, str], *, is_signed: bool) -> None:
        """204 or 400."""
        try:
            genuine = signed(body) if is_signed else {}
        except UnicodeEncodeError:
            genuine = {}
        assert tell(body, genuine | headers) in (204, 400)


@pytest.mark.django_db
def test_a_connection_that_is_lost_is_no_error_of_ours(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Django has two families of database errors, and this one is in neither of the usual handlers."""

    def lost(*_: object, **__: object) -> None:
        raise InterfaceError("connection already closed")

    monkeypatch.setattr("alguna_portal.webhooks.inbox.process_delivery", lost)
    said = datetime(2026, 11, 21, tzinfo=UTC)
    assert receive_message(Event(id="m", type="invoice.paid", timestamp=said, data={})) is False
