"""Customers for whom Alguna fails: in passing, or for all."""

import pytest
from pytest_django import Settings

from alguna_portal.doctor import customers, probes
from alguna_portal.models import Customer
from alguna_portal.sandbox.engine.types import Request, Response, json_response
from tests.doctor.conftest import Account, examined
from tests.doctor.test_customers import many


@pytest.mark.parametrize(
    ("status", "asked", "words"),
    [(503, 3, "Alguna failed (AlgunaUnavailable)"), (401, 1, "the key may not read them"), (400, 1, "AlgunaRefused")],
)
def test_an_alguna_that_fails_is_let_alone(
    well: Settings, account: Account, status: int, asked: int, words: str
) -> None:
    """After three failures in a row, or at once where every other would fail like it."""
    many(account, 5)

    def fail(request: Request) -> Response | None:
        if request.path == "/customers":
            return json_response({"data": []})
        return json_response({"detail": "No."}, status=status)

    account.answer = fail
    said = examined()
    assert said.level("customers.known") == "skipped"
    assert said["customers.known"]["found"].startswith("0 of 6 customers looked up; then ")
    assert words in said["customers.known"]["found"]
    assert len(account.requests) == 1 + asked


def test_a_failure_in_passing_costs_one_customer(
    well: Settings, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a pause as long as Alguna asks for, within reason."""
    naps: list[float] = []
    monkeypatch.setattr(customers, "sleep", naps.append)
    many(account, 5)
    answers = [503, 429, 0, 503, 503, 0]

    def fail(request: Request) -> Response | None:
        if "lookup" in request.path and (status := answers.pop(0)):
            headers = {"Retry-After": "60"} if status == 429 else {}
            return json_response({"detail": "No."}, status=status, headers=headers)
        return None

    account.answer = fail
    Customer.objects.filter(alias__in=["many-0", "many-1"]).delete()
    Customer.objects.create(alias="x")
    Customer.objects.create(alias="y")
    monkeypatch.setattr(probes.Account, "pages", None)
    said = examined()
    assert naps == [0.0, 2.0, 0.0, 0.0]
    assert said.level("customers.known") == "skipped"
    unanswered = list(Customer.objects.filter(alias__in=["x", "y", "many-2", "many-3"]).order_by("-pk"))
    keys = ", ".join(str(each.pk) for each in unanswered)
    assert said["customers.known"]["found"] == (
        f"2 customers as Alguna has them; looked up: all but 4 customers (pk {keys}), since Alguna failed."
    )


@pytest.mark.parametrize(
    ("arguments", "sample", "words"),
    [
        (["--all"], 2, "3 customers as Alguna has them; looked up: all but 1 customer (pk {}), since Alguna failed."),
        ([], 4, "3 customers as Alguna has them; looked up: all but 1 customer (pk {}), since Alguna failed."),
        (
            [],
            2,
            "1 customer as Alguna has them; looked up: the newest 2 of 4 but 1 customer (pk {}), since Alguna failed; "
            "--all looks at all.",
        ),
    ],
)
def test_who_could_not_be_looked_up_is_counted(
    well: Settings,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    sample: int,
    words: str,
) -> None:
    """Nobody is told to look at all where that was done."""
    many(account, 3)
    monkeypatch.setattr(probes.Account, "pages", None)
    monkeypatch.setattr(customers, "SAMPLE", sample)

    def fail(request: Request) -> Response | None:
        failing = request.query.get("alias") == "many-2"
        return json_response({"detail": "No."}, status=503) if failing else None

    account.answer = fail
    said = examined(*arguments)
    assert said["customers.known"]["found"] == words.format(Customer.objects.get(alias="many-2").pk)
    assert said.level("customers.known") == "skipped"
    assert said.status == 0
