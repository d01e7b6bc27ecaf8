"""The text format of simulated faults."""

import json

import pytest

from alguna_portal.sandbox.engine import faults
from alguna_portal.sandbox.engine.types import DroppedConnection, Response


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("latency=2.5", "latency=2.5"),
        (" status = 503 ;times=2; ", "status=503; times=2"),
        ("status=429;retry-after=7", "status=429; retry-after=7"),
        ("gateway", "gateway"),
        ("html=200", "html=200"),
        ("drop; latency=0; times=1", "drop; latency=0; times=1"),
        ("session-seconds=0; single-use=off", "session-seconds=0; single-use=off"),
        ("webhook-loss=0.25;webhook-seed=7", "webhook-loss=0.25; webhook-seed=7"),
        ("webhook-delay=2.5; webhook-times=3; status=503", "webhook-delay=2.5; webhook-times=3; status=503"),
        ("webhook-duplicate=1; webhook-reorder=0", "webhook-duplicate=1; webhook-reorder=0"),
    ],
)
def test_fault_is_parsed_and_formatted(text: str, canonical: str) -> None:
    """Spaces and empty parts are ignored."""
    assert str(faults.parse_fault(text)) == canonical
    assert faults.parse_fault(canonical) == faults.parse_fault(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        (" ; ", "empty"),
        ("statsu=503", "'statsu'"),
        ("status", "status must"),
        ("status=200", "status must"),
        ("status=600", "status must"),
        ("status=5e2", "status must"),
        ("status=٥٠٣", "status must"),
        ("html=204", "html must"),
        ("latency=601", "latency must"),
        ("latency=-1", "latency must"),
        ("latency=nan", "latency must"),
        ("retry-after=7", "retry-after needs"),
        ("gateway; retry-after=7", "retry-after needs"),
        ("status=503; retry-after=x", "retry-after must"),
        ("times=2", "times needs"),
        ("single-use=browser; times=2", "times needs"),
        ("status=503; times=0", "times must"),
        ("gateway=401", "gateway takes no value"),
        ("drop=", "drop takes no value"),
        ("status=503; drop", "drop does not go together with status"),
        ("status=503; status=504", "status is said twice"),
        ("single-use=never", "single-use must"),
        ("session-seconds=1h", "session-seconds must"),
        ("webhook-loss=30", "webhook-loss must be a probability"),
        ("webhook-loss=1.1", "webhook-loss must"),
        ("webhook-duplicate=-1", "webhook-duplicate must"),
        ("webhook-reorder", "webhook-reorder must"),
        ("webhook-delay=601", "webhook-delay must be seconds"),
        ("webhook-times=0; webhook-loss=1", "webhook-times must"),
        ("webhook-times=2; status=503", "webhook-times needs"),
        ("webhook-seed=7", "webhook-seed needs"),
        ("webhook-seed=x; webhook-loss=1", "webhook-seed must"),
        ("times=2; webhook-loss=1", "times needs"),
    ],
)
def test_error_names_the_invalid_part(text: str, message: str) -> None:
    with pytest.raises(faults.InvalidFault, match=message):
        faults.parse_fault(text)


@pytest.mark.parametrize("text", ["status=503; times=2", "session-seconds=5", "single-use=browser", "webhook-loss=1"])
def test_some_parts_are_not_allowed_for_one_request(text: str) -> None:
    with pytest.raises(faults.InvalidFault, match="one request"):
        faults.parse_fault(text, for_one_request=True)


def get_response(text: str) -> Response:
    response = faults.parse_fault(text).to_response()
    assert response is not None
    return response


def test_each_failure_has_its_response() -> None:
    error = get_response("status=429; retry-after=7")
    assert (error.status, error.headers["Retry-After"]) == (429, "7")
    assert set(json.loads(error.body)) == {"detail", "status"}
    gateway = get_response("gateway")
    assert gateway.status == 401
    assert set(json.loads(gateway.body)) == {"code", "message"}
    page = get_response("html=502; retry-after=1")
    assert (page.status, page.headers) == (502, {"Content-Type": "text/html", "Retry-After": "1"})
    assert b"<h1>502</h1>" in page.body
    assert isinstance(get_response("drop"), DroppedConnection)
    assert faults.parse_fault("latency=1").to_response() is None


def test_times_only_limits_parts_for_requests() -> None:
    fault = faults.parse_fault("status=503; times=2; single-use=browser; webhook-loss=1")
    assert str(fault.after_request()) == "status=503; times=1; single-use=browser; webhook-loss=1"
    assert str(fault.after_request().after_request()) == "single-use=browser; webhook-loss=1"
    lasting = faults.parse_fault("status=503")
    assert lasting.after_request() == lasting
