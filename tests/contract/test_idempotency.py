"""Idempotency keys, at both doors: echo, replay, refusal, conflict and release."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.conftest import Door, unused

pytestmark = pytest.mark.xdist_group("contract")

ACME = {"name": "Acme Corp", "currency": "USD"}
FAULT = "Alguna-Sandbox-Fault"


def test_a_first_use_runs_and_echoes_the_key(door: Door) -> None:
    """It is no replay, and says so."""
    key = unused("key")
    answer = door.ask("POST", "/customers", ACME, key=key)
    assert answer.status_code == 200
    assert (answer.headers["Idempotency-Key"], answer.headers["Idempotent-Replayed"]) == (key, "false")


def test_the_same_request_gets_the_first_answer_again(door: Door) -> None:
    """Of creations, changes and sessions; nothing runs twice."""
    customer = door.customer()
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/customers", ACME),
        ("PATCH", f"/customers/{customer['id']}", {"name": "New"}),
        ("POST", "/customer-portal-sessions", {"customer_id": customer["id"]}),
    ]
    for method, path, data in calls:
        key = unused("key")
        first, again = (door.ask(method, path, data, key=key) for _ in range(2))
        assert (again.status_code, again.json()) == (first.status_code, first.json()) == (200, first.json())
        assert (again.headers["Idempotency-Key"], again.headers["Idempotent-Replayed"]) == (key, "true")


def test_without_a_key_nothing_is_replayed(door: Door) -> None:
    """Two creations are two customers, and their answers say nothing of keys."""
    first, second = (door.ask("POST", "/customers", ACME) for _ in range(2))
    assert first.json()["id"] != second.json()["id"]
    assert "Idempotent-Replayed" not in second.headers


def test_the_key_of_another_request_is_refused(door: Door) -> None:
    """Another body, path or method; with the title that such errors have."""
    key = unused("key")
    customer = door.ask("POST", "/customers", ACME, key=key).json()
    others = [
        door.ask("POST", "/customers", {**ACME, "name": "Other"}, key=key),
        door.ask("POST", "/customer-portal-sessions", {"customer_id": customer["id"]}, key=key),
        door.ask("PATCH", f"/customers/{customer['id']}", ACME, key=key),
    ]
    for answer in others:
        assert (answer.status_code, answer.json()["type"]) == (422, "about:blank")
        assert answer.json()["title"]
    assert door.ask("GET", f"/customers/{customer['id']}").json() == customer


def test_a_refusal_is_replayed_too(door: Door) -> None:
    """The conflict stands, though the alias is free by now."""
    alias, key = unused(), unused("key")
    first = door.customer(aliases=[alias])
    refused = door.ask("POST", "/customers", {**ACME, "aliases": [alias]}, key=key)
    door.ask("PATCH", f"/customers/{first['id']}", {"aliases": []})
    again = door.ask("POST", "/customers", {**ACME, "aliases": [alias]}, key=key)
    assert (refused.status_code, again.status_code) == (409, 409)
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_key_in_use_is_a_conflict_with_retry_after(door: Door) -> None:
    """Once the first request is through, the same key gets its answer. Whichever comes first takes its time."""
    key, slowly = unused("key"), {FAULT: "latency=2"}
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(door.ask, "POST", "/customers", ACME, key=key, headers=slowly) for _ in "12"]
    first, meanwhile = sorted((each.result() for each in asked), key=lambda answer: answer.status_code)
    assert (meanwhile.status_code, meanwhile.json()["type"]) == (409, "about:blank")
    assert int(meanwhile.headers["Retry-After"]) >= 1
    again = door.ask("POST", "/customers", ACME, key=key)
    assert (first.status_code, again.json(), again.headers["Idempotent-Replayed"]) == (200, first.json(), "true")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_releases_the_key(door: Door, status: int) -> None:
    """It says `Transient-Error`, and the same key runs when it is sent again."""
    key = unused("key")
    failed = door.ask("POST", "/customers", ACME, key=key, headers={FAULT: f"status={status}"})
    assert (failed.status_code, failed.headers["Transient-Error"]) == (status, "true")
    again = door.ask("POST", "/customers", ACME, key=key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "false")


def test_a_key_may_have_255_characters_and_no_more(door: Door) -> None:
    """A longer one is a bad request that runs nothing."""
    alias = unused()
    assert door.ask("POST", "/customers", ACME, key=unused("k").ljust(255, "k")).status_code == 200
    long = door.ask("POST", "/customers", {**ACME, "aliases": [alias]}, key="k" * 256, valid=False)
    assert (long.status_code, long.json()["type"]) == (400, "about:blank")
    assert door.ask("GET", "/customers/lookup", alias=alias).status_code == 404


def test_reading_takes_no_key(door: Door) -> None:
    """A GET with a key is answered afresh."""
    alias, key = unused(), unused("key")
    door.customer(aliases=[alias], name="Old")
    for name in ("Old", "New"):
        door.ask("PATCH", f"/customers/{alias}", {"name": name})
        answer = door.ask("GET", f"/customers/{alias}", key=key)
        assert answer.json()["name"] == name
        assert "Idempotent-Replayed" not in answer.headers


def test_the_earlier_api_takes_a_key_too(door: Door) -> None:
    """So that a retry of our client opens one session."""
    customer, key = door.customer(), unused("key")
    path, body = "/portal/customer-session/customer-portal", {"accountId": customer["id"]}
    first, again = (door.ask("POST", path, body, key=key, headers={"Alguna-Version": None}) for _ in range(2))
    assert (first.status_code, again.json()) == (200, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
