"""Idempotency keys that expire, are released or are claimed again; tests/contract has the other cases."""

from dataclasses import replace

import pytest

from alguna_portal.sandbox.engine.types import Request, Response
from tests.sandbox.conftest import ACME, HEADERS, EngineClient, create_request, get_json

SLOW = {**HEADERS, "Alguna-Sandbox-Fault": "latency=61"}


def create(engine: EngineClient, **fields: str) -> Response:
    return engine.request("POST", "/customers", {**ACME, **fields}, key="k")


def test_response_is_replayed_for_24_hours(engine: EngineClient) -> None:
    first = create(engine)
    engine.request("PATCH", f"/customers/{get_json(first)['id']}", {"name": "New"})
    engine.clock.move(hours=23, minutes=59)
    again = create(engine)
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers == {**first.headers, "Idempotent-Replayed": "true"}
    assert len(engine.state["customers"]) == 1
    engine.clock.move(minutes=1)
    assert create(engine, name="Other").headers["Idempotent-Replayed"] == "false"
    assert len(engine.state["customers"]) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_temporary_failure_releases_the_key(engine: EngineClient, status: int) -> None:
    engine.failures.append(Response(status=status))
    failed = create(engine)
    assert (failed.status, failed.headers["Transient-Error"]) == (status, "true")
    again = create(engine)
    assert (again.status, again.headers["Idempotent-Replayed"]) == (200, "false")


def test_exception_releases_the_key(engine: EngineClient) -> None:
    def fail(request: Request) -> Response | None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        replace(engine.create_engine(), fault=fail).handle(create_request("POST", "/customers", {}, key="k"))
    assert create(engine).status == 200


def test_second_request_gets_409_while_the_first_one_runs(engine: EngineClient) -> None:
    conflicts = []

    def send_again(request: Request) -> Response | None:
        conflicts.append(create(engine))
        return None

    request = create_request("POST", "/customers", ACME, key="k")
    replace(engine.create_engine(), fault=send_again).handle(request)
    assert set(get_json(conflicts[0], status=409)) == {"detail", "status", "title", "type"}
    assert int(conflicts[0].headers["Retry-After"]) > 0
    assert create(engine).headers["Idempotent-Replayed"] == "true"
    assert len(engine.state["customers"]) == 1


def test_claim_of_a_killed_process_expires_after_a_minute(engine: EngineClient) -> None:
    create(engine)
    engine.state["idempotency"]["k"]["response"] = None  # as if the process had been killed
    engine.clock.move(seconds=59)
    get_json(create(engine), status=409)
    engine.clock.move(seconds=1)
    assert create(engine).headers["Idempotent-Replayed"] == "false"


@pytest.mark.parametrize(("status", "replayed"), [(200, "true"), (503, "false")])
def test_slow_request_does_not_run_after_its_key_was_claimed_again(
    engine: EngineClient, status: int, replayed: str
) -> None:
    """It returns the response of the other request or, if that one failed temporarily, runs itself."""

    def sleep(seconds: float) -> None:
        engine.clock.move(seconds=61)
        if status != 200:
            engine.failures.append(Response(status=status))
        assert create(engine).status == status

    request = create_request("POST", "/customers", ACME, headers=SLOW, key="k")
    response = replace(engine.create_engine(), sleep=sleep).handle(request)
    assert (response.status, response.headers["Idempotent-Replayed"]) == (200, replayed)
    assert len(engine.state["customers"]) == 1


def test_exception_does_not_release_a_key_that_was_claimed_again(engine: EngineClient) -> None:
    def sleep(seconds: float) -> None:
        engine.clock.move(seconds=61)
        create(engine)
        raise RuntimeError

    request = create_request("POST", "/customers", ACME, headers=SLOW, key="k")
    with pytest.raises(RuntimeError):
        replace(engine.create_engine(), sleep=sleep).handle(request)
    assert create(engine).headers["Idempotent-Replayed"] == "true"
