"""Bad days as a client meets them, from the header and from the weather."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from alguna_portal.sandbox.engine import faults
from alguna_portal.sandbox.engine.types import DroppedConnection
from tests.sandbox.conftest import HEADERS, Alguna, Door, read

ACME = {"name": "Acme", "currency": "USD"}


def change(alguna: Alguna, text: str) -> None:
    faults.set_fault(alguna.state, faults.parse_fault(text))


def test_a_header_is_for_its_own_request_alone(alguna: Alguna) -> None:
    """The next one is answered as ever."""
    faulty = {**HEADERS, "Alguna-Sandbox-Fault": "status=503; retry-after=2"}
    answer = alguna.ask("GET", "/customers", headers=faulty)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert answer.headers["Transient-Error"] == "true"
    assert alguna.ask("GET", "/customers").status == 200


def test_a_header_that_cannot_be_read_is_unprocessable(alguna: Alguna) -> None:
    """It says which header and which part."""
    answer = alguna.ask("GET", "/customers", headers={**HEADERS, "Alguna-Sandbox-Fault": "staus=503"})
    detail = read(answer, status=422)["detail"]
    assert detail.startswith("Alguna-Sandbox-Fault: 'staus'")


def test_without_a_key_the_gateway_comes_first(alguna: Alguna) -> None:
    """Nobody but the client itself makes weather for it."""
    alguna.state["faults"]["current"] = {"text": "status=503"}
    assert alguna.ask("GET", "/customers", headers={"Alguna-Sandbox-Fault": "drop"}).status == 401


def test_the_weather_lasts_until_it_is_cleared(alguna: Alguna) -> None:
    """For every request, and in every process."""
    change(alguna, "status=403")
    assert [alguna.ask("GET", "/customers").status for _ in "123"] == [403, 403, 403]
    assert "Transient-Error" not in alguna.ask("GET", "/customers").headers
    faults.set_fault(alguna.state, faults.Fault())
    faults.set_fault(alguna.state, faults.Fault())
    assert alguna.ask("GET", "/customers").status == 200


def test_counted_weather_passes(alguna: Alguna) -> None:
    """Two requests meet it, the third does not."""
    change(alguna, "status=500; times=2")
    assert [alguna.ask("GET", "/customers").status for _ in "123"] == [500, 500, 200]
    assert not alguna.state["faults"]


def test_a_header_stands_in_for_the_weather(alguna: Alguna) -> None:
    """And is not counted as having met it."""
    change(alguna, "status=500; times=1")
    assert alguna.ask("GET", "/customers", headers={**HEADERS, "Alguna-Sandbox-Fault": "html=502"}).status == 502
    assert alguna.ask("GET", "/customers").status == 500


def test_latency_comes_before_the_answer_whatever_it_is(alguna: Alguna) -> None:
    """A right one, a failure, or none."""
    for text in ("latency=2.5", "latency=3; status=503", "latency=4; drop"):
        change(alguna, text)
        alguna.ask("GET", "/customers")
    assert alguna.slept == [2.5, 3, 4]


def test_a_dropped_request_has_not_run(alguna: Alguna) -> None:
    """Nothing was written, and the key is free."""
    change(alguna, "drop; times=1")
    assert isinstance(alguna.ask("POST", "/customers", ACME, key="k"), DroppedConnection)
    assert not alguna.state["customers"]
    assert alguna.ask("POST", "/customers", ACME, key="k").headers["Idempotent-Replayed"] == "false"


@pytest.mark.parametrize("text", ["status=503", "status=422", "gateway", "html=200"])
def test_the_weather_is_not_remembered_with_a_key(alguna: Alguna, text: str) -> None:
    """When the sky is clear again, the same key runs."""
    change(alguna, f"{text}; times=1")
    alguna.ask("POST", "/customers", ACME, key="k")
    answer = alguna.ask("POST", "/customers", ACME, key="k")
    assert (answer.status, answer.headers["Idempotent-Replayed"]) == (200, "false")


def test_the_weather_says_how_long_sessions_live(alguna: Alguna) -> None:
    """It wins over what is set."""
    customer = alguna.customer()
    change(alguna, "session-seconds=60")
    answer = alguna.ask("POST", "/customer-portal-sessions", {"customer_id": customer["id"]})
    assert read(answer, status=200)["expires_at"] == "2026-04-01T10:01:00Z"


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("alguna_sandbox_faults", *arguments, stdout=out)
    return out.getvalue().strip()


def test_the_command_changes_shows_and_clears(door: Door) -> None:
    """What it has said holds for the served sandbox."""
    assert command() == "clear"
    assert command("status=503;times=3") == "status=503; times=3"
    answer = door.ask("GET", "/customers")
    assert (answer.status_code, json.loads(answer.content)["status"]) == (503, 503)
    assert command() == "status=503; times=2"
    assert command("clear") == "clear"
    assert door.ask("GET", "/customers").status_code == 200


def test_the_command_names_what_it_cannot_read(door: Door) -> None:
    """And changes nothing."""
    command("gateway")
    with pytest.raises(CommandError, match="'statsu'"):
        command("statsu=503")
    assert command() == "gateway"
