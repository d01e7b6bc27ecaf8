"""Simulated faults of the API, set by header, command or state."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from alguna_portal.sandbox.engine import faults
from alguna_portal.sandbox.engine.types import DroppedConnection
from tests.sandbox.conftest import ACME, HEADERS, EngineClient, SandboxClient, get_json


def set_fault(engine: EngineClient, text: str) -> None:
    faults.set_fault(engine.state, faults.parse_fault(text))


def test_header_affects_one_request(engine: EngineClient) -> None:
    headers = {**HEADERS, "Alguna-Sandbox-Fault": "status=503; retry-after=2"}
    response = engine.request("GET", "/customers", headers=headers)
    assert (response.status, response.headers["Retry-After"]) == (503, "2")
    assert response.headers["Transient-Error"] == "true"
    assert engine.request("GET", "/customers").status == 200


def test_invalid_header_returns_422(engine: EngineClient) -> None:
    response = engine.request("GET", "/customers", headers={**HEADERS, "Alguna-Sandbox-Fault": "staus=503"})
    detail = get_json(response, status=422)["detail"]
    assert detail.startswith("Alguna-Sandbox-Fault: 'staus'")


def test_api_key_is_checked_before_faults(engine: EngineClient) -> None:
    engine.state["faults"]["current"] = {"text": "status=503"}
    assert engine.request("GET", "/customers", headers={"Alguna-Sandbox-Fault": "drop"}).status == 401


def test_fault_lasts_until_it_is_cleared(engine: EngineClient) -> None:
    set_fault(engine, "status=403")
    assert [engine.request("GET", "/customers").status for _ in "123"] == [403, 403, 403]
    assert "Transient-Error" not in engine.request("GET", "/customers").headers
    faults.set_fault(engine.state, faults.Fault())
    faults.set_fault(engine.state, faults.Fault())
    assert engine.request("GET", "/customers").status == 200


def test_times_limits_a_fault(engine: EngineClient) -> None:
    set_fault(engine, "status=500; times=2")
    assert [engine.request("GET", "/customers").status for _ in "123"] == [500, 500, 200]
    assert not engine.state["faults"]


def test_header_replaces_the_fault(engine: EngineClient) -> None:
    """The request isn't counted."""
    set_fault(engine, "status=500; times=1")
    assert engine.request("GET", "/customers", headers={**HEADERS, "Alguna-Sandbox-Fault": "html=502"}).status == 502
    assert engine.request("GET", "/customers").status == 500


def test_latency_delays_responses_failures_and_dropped_connections(engine: EngineClient) -> None:
    for text in ("latency=2.5", "latency=3; status=503", "latency=4; drop"):
        set_fault(engine, text)
        engine.request("GET", "/customers")
    assert engine.slept == [2.5, 3, 4]


def test_dropped_request_does_not_run_or_claim_its_key(engine: EngineClient) -> None:
    set_fault(engine, "drop; times=1")
    assert isinstance(engine.request("POST", "/customers", ACME, key="k"), DroppedConnection)
    assert not engine.state["customers"]
    assert engine.request("POST", "/customers", ACME, key="k").headers["Idempotent-Replayed"] == "false"


@pytest.mark.parametrize("text", ["status=503", "status=422", "gateway", "html=200"])
def test_simulated_failure_is_not_replayed(engine: EngineClient, text: str) -> None:
    set_fault(engine, f"{text}; times=1")
    engine.request("POST", "/customers", ACME, key="k")
    response = engine.request("POST", "/customers", ACME, key="k")
    assert (response.status, response.headers["Idempotent-Replayed"]) == (200, "false")


def test_session_seconds_replaces_the_setting(engine: EngineClient) -> None:
    customer = engine.create_customer()
    set_fault(engine, "session-seconds=60")
    response = engine.request("POST", "/customer-portal-sessions", {"customer_id": customer["id"]})
    assert get_json(response, status=200)["expires_at"] == "2026-04-01T10:01:00Z"


def call(*arguments: str) -> str:
    out = StringIO()
    call_command("alguna_sandbox_faults", *arguments, stdout=out)
    return out.getvalue().strip()


def test_command_sets_shows_and_clears_the_fault(sandbox: SandboxClient) -> None:
    assert call() == "clear"
    assert call("status=503;times=3") == "status=503; times=3"
    response = sandbox.request("GET", "/customers")
    assert (response.status_code, json.loads(response.content)["status"]) == (503, 503)
    assert call() == "status=503; times=2"
    assert call("clear") == "clear"
    assert sandbox.request("GET", "/customers").status_code == 200


def test_command_reports_an_invalid_fault(sandbox: SandboxClient) -> None:
    """The current fault remains."""
    call("gateway")
    with pytest.raises(CommandError, match="'statsu'"):
        call("statsu=503")
    assert call() == "gateway"
