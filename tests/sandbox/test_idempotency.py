"""Idempotency keys: the same request runs once."""

import json
import threading
from dataclasses import replace

import pytest

from alguna_portal.sandbox.engine.engine import Engine
from alguna_portal.sandbox.engine.types import Request, Response
from tests.sandbox.conftest import HEADERS, Alguna, read

ACME = {"name": "Acme", "currency": "USD"}


def test_a_first_use_runs_and_says_so(alguna: Alguna) -> None:
    """The key comes back."""
    answer = alguna.ask("POST", "/customers", ACME, key="k")
    assert answer.headers["Idempotency-Key"] == "k"
    assert answer.headers["Idempotent-Replayed"] == "false"


def test_the_same_request_gets_the_first_answer_again(alguna: Alguna) -> None:
    """Even where the world has moved on, for 24 hours, and nothing runs twice."""
    first = alguna.ask("POST", "/customers", ACME, key="k")
    alguna.ask("PATCH", f"/customers/{read(first, status=200)['id']}", {"name": "New"})
    alguna.clock.move(hours=23, minutes=59)
    again = alguna.ask("POST", "/customers", ACME, key="k")
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers == {**first.headers, "Idempotent-Replayed": "true"}
    assert len(alguna.state["customers"]) == 1


def test_a_key_is_forgotten_after_24_hours(alguna: Alguna) -> None:
    """Then it is as good as new, for another request too."""
    alguna.ask("POST", "/customers", ACME, key="k")
    alguna.clock.move(hours=24)
    answer = alguna.ask("POST", "/customers", {**ACME, "name": "Other"}, key="k")
    assert answer.headers["Idempotent-Replayed"] == "false"
    assert len(alguna.state["customers"]) == 2


@pytest.mark.parametrize(
    ("method", "path", "data"),
    [
        ("POST", "/customers", {**ACME, "name": "Other"}),
        ("POST", "/customer-portal-sessions", ACME),
        ("PATCH", "/customers/x", ACME),
    ],
)
def test_the_key_of_another_request_is_refused(alguna: Alguna, method: str, path: str, data: object) -> None:
    """Another body, path or method is another request."""
    alguna.ask("POST", "/customers", ACME, key="k")
    answer = read(alguna.ask(method, path, data, key="k"), status=422)
    assert set(answer) == {"detail", "status", "title", "type"}


def test_a_refusal_is_remembered_like_any_answer(alguna: Alguna) -> None:
    """The alias became free, but the first answer stands."""
    alguna.customer(aliases=["one"])
    sent = {**ACME, "aliases": ["one"]}
    read(alguna.ask("POST", "/customers", sent, key="k"), status=409)
    alguna.ask("PATCH", "/customers/one", {"aliases": []})
    replay = alguna.ask("POST", "/customers", sent, key="k")
    assert read(replay, status=409)["status"] == 409
    assert replay.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_gives_the_key_back(alguna: Alguna, status: int) -> None:
    """The same key may be sent again, and then it runs."""
    alguna.outages.append(Response(status=status))
    failed = alguna.ask("POST", "/customers", ACME, key="k")
    assert (failed.status, failed.headers["Transient-Error"]) == (status, "true")
    again = alguna.ask("POST", "/customers", ACME, key="k")
    assert (again.status, again.headers["Idempotent-Replayed"]) == (200, "false")


def test_a_request_that_falls_over_gives_its_key_back(alguna: Alguna) -> None:
    """A bug must not lock the key for a day."""

    def fall(request: Request) -> Response | None:
        raise RuntimeError

    engine = Engine(state=alguna.state, api_key="sandbox.secret", portal_url="", clock=alguna.clock, fault=fall)
    with pytest.raises(RuntimeError):
        engine.handle(
            Request(method="POST", path="/customers", headers={**HEADERS, "Idempotency-Key": "k"}, body=b"{}")
        )
    assert alguna.ask("POST", "/customers", ACME, key="k").status == 200


def test_a_key_whose_first_request_still_runs_is_a_conflict_to_retry(alguna: Alguna) -> None:
    """Retry-After tells it from a real conflict."""
    started, finish = threading.Event(), threading.Event()

    def dawdle(request: Request) -> Response | None:
        started.set()
        finish.wait(10)
        return None

    slow = Engine(state=alguna.state, api_key="sandbox.secret", portal_url="", clock=alguna.clock, fault=dawdle)
    request = Request(
        method="POST",
        path="/customers",
        headers={**HEADERS, "Idempotency-Key": "k"},
        body=b'{"name": "Acme", "currency": "USD"}',
    )
    first = threading.Thread(target=slow.handle, args=[request])
    first.start()
    started.wait(10)
    meanwhile = alguna.engine.handle(request)
    finish.set()
    first.join(10)
    assert set(read(meanwhile, status=409)) == {"detail", "status", "title", "type"}
    assert int(meanwhile.headers["Retry-After"]) > 0
    assert alguna.engine.handle(request).headers["Idempotent-Replayed"] == "true"
    assert len(alguna.state["customers"]) == 1


def test_a_process_that_died_holds_its_key_for_a_minute(alguna: Alguna) -> None:
    """Its claim is the same conflict first, and then as good as none."""
    alguna.ask("POST", "/customers", ACME, key="k")
    alguna.state["idempotency"]["k"]["response"] = None  # what a process leaves that is killed on the way
    alguna.clock.move(seconds=59)
    read(alguna.ask("POST", "/customers", ACME, key="k"), status=409)
    alguna.clock.move(seconds=1)
    assert alguna.ask("POST", "/customers", ACME, key="k").headers["Idempotent-Replayed"] == "false"


@pytest.mark.parametrize(("status", "replayed", "customers"), [(200, "true", 1), (503, "false", 1)])
def test_who_wakes_after_a_minute_does_not_run_again(
    alguna: Alguna, status: int, replayed: str, customers: int
) -> None:
    """Another took the key over: its answer is given, or, where it ran into an outage, the first one runs."""

    def oversleep(seconds: float) -> None:
        alguna.clock.move(seconds=61)
        if status != 200:
            alguna.outages.append(Response(status=status))
        assert alguna.ask("POST", "/customers", ACME, key="k").status == status

    slow = replace(alguna.engine, sleep=oversleep)
    answer = slow.handle(
        Request(
            method="POST",
            path="/customers",
            headers={**HEADERS, "Idempotency-Key": "k", "Alguna-Sandbox-Fault": "latency=61"},
            body=json.dumps(ACME).encode(),
        )
    )
    assert (answer.status, answer.headers["Idempotent-Replayed"]) == (200, replayed)
    assert len(alguna.state["customers"]) == customers


def test_who_falls_over_too_late_leaves_the_key_alone(alguna: Alguna) -> None:
    """By then it is another's."""

    def oversleep(seconds: float) -> None:
        alguna.clock.move(seconds=61)
        alguna.ask("POST", "/customers", ACME, key="k")
        raise RuntimeError

    slow = replace(alguna.engine, sleep=oversleep)
    headers = {**HEADERS, "Idempotency-Key": "k", "Alguna-Sandbox-Fault": "latency=61"}
    request = Request(method="POST", path="/customers", headers=headers, body=json.dumps(ACME).encode())
    with pytest.raises(RuntimeError):
        slow.handle(request)
    assert alguna.ask("POST", "/customers", ACME, key="k").headers["Idempotent-Replayed"] == "true"


def test_a_key_may_have_255_characters_and_no_more(alguna: Alguna) -> None:
    """A longer one is a bad request that runs nothing."""
    assert alguna.ask("POST", "/customers", ACME, key="k" * 255).status == 200
    answer = read(alguna.ask("POST", "/customers", ACME, key="k" * 256), status=400)
    assert set(answer) == {"detail", "status", "title", "type"}
    assert len(alguna.state["customers"]) == 1


def test_reading_takes_no_key(alguna: Alguna) -> None:
    """A GET with a key is answered afresh each time."""
    assert read(alguna.ask("GET", "/customers", key="k"), status=200)["data"] == []
    alguna.customer()
    answer = alguna.ask("GET", "/customers", key="k")
    assert len(read(answer, status=200)["data"]) == 1
    assert "Idempotent-Replayed" not in answer.headers
