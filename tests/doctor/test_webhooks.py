"""Webhooks: their secrets, their plans, and who answers at their address."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.test import Client
from pytest_django import Settings

from tests.doctor.conftest import WEBHOOK, Account, examined

Answers = Callable[..., None]


@pytest.fixture
def answers(account: Account, well: Settings) -> Answers:
    """Have somebody else answer at the webhook's address."""

    def answer(get: Any, post: Any = 400, **headers: str) -> None:
        for method, what in (("GET", get), ("POST", post)):
            account.http.remove(method, WEBHOOK)
            if isinstance(what, Exception):
                account.http.add(method, WEBHOOK, body=what)
            else:
                account.http.add(method, WEBHOOK, status=what, headers=headers)

    return answer


def asked(account: Account) -> list[requests.PreparedRequest]:
    """What the site was asked."""
    return [call.request for call in account.http.calls if call.request.url == WEBHOOK]


def test_the_right_answer_is_two_refusals(well: Settings, account: Account) -> None:
    """Of a GET, and of a POST that nobody signed; no key goes along."""
    assert examined()["webhooks.address"]["found"] == f"{WEBHOOK} is there, and refuses what is not signed."
    got, posted = asked(account)
    assert (got.method, posted.method, posted.body) == ("GET", "POST", b"{}")
    for request in (got, posted):
        assert "Authorization" not in request.headers
        assert not [name for name in request.headers if "signature" in name.lower()]


def test_our_own_view_gives_the_right_answer(well: Settings, client: Client) -> None:
    """What the doctor takes for it is what it says, and nothing is kept of the question."""
    path = urlsplit(WEBHOOK).path
    assert client.get(path, headers={"Host": "app.example.com"}).status_code == 405
    assert client.post(path, {}, "application/json", headers={"Host": "app.example.com"}).status_code == 400


def test_without_secrets_there_are_no_webhooks(well: Settings, account: Account) -> None:
    """That is a note; with plan ids it says what plans follow by. Nobody is asked."""
    well.ALGUNA_PORTAL_WEBHOOK_SECRETS = []
    said = examined()
    assert said.level("webhooks.secrets") == "note"
    assert said["webhooks.secrets"]["found"].endswith("is not noticed. Plans follow only when alguna_sync is run.")
    well.ALGUNA_PORTAL_PLAN_IDS = {}
    said = examined()
    assert said.level("webhooks.secrets") == "note"
    assert said["webhooks.secrets"]["found"].endswith("is not noticed.")
    assert "webhooks.address" not in said
    assert not asked(account)


@pytest.mark.parametrize("secret", ["whsec_c2hvcnQ=", "c2hvcnQ", "whsec_" + "a" * 20])
def test_a_secret_that_is_too_short_is_an_error(well: Settings, secret: str) -> None:
    """It is named by its place."""
    well.ALGUNA_PORTAL_WEBHOOK_SECRETS = [*well.ALGUNA_PORTAL_WEBHOOK_SECRETS, secret]
    said = examined("--offline")["webhooks.secrets"]
    assert said["level"] == "error"
    assert said["found"] == "1 entry of ALGUNA_PORTAL_WEBHOOK_SECRETS too short to be one of Alguna's (no. 2)."


def test_plans_without_ids_are_said(well: Settings) -> None:
    """All of them: a warning. Some of them: a note."""
    well.ALGUNA_PORTAL_PLAN_IDS = {"plan_1": "starter"}
    said = examined("--offline")["webhooks.plan_ids"]
    assert said["level"] == "note"
    assert said["found"] == "No plan id of Alguna's leads to “enterprise”, “growth”."
    well.ALGUNA_PORTAL_PLAN_IDS = {}
    assert examined("--offline").level("webhooks.plan_ids") == "warning"


@pytest.mark.parametrize(
    ("get", "post", "headers", "words"),
    [
        (
            301,
            400,
            {"Location": "https://www.example.com/billing/webhook/?next=secret"},
            "https://www.example.com/billing",
        ),
        (405, 302, {"Location": "/login/?next=/billing/webhook/"}, "redirects to /login/, and"),
        (302, 400, {}, "redirects to nowhere"),
        (302, 400, {"Location": "https://[nowhere"}, "redirects to nowhere"),
        (405, 403, {}, "answers 403 before our view is asked"),
        (401, 400, {}, "answers 401 before our view is asked"),
        (404, 400, {}, "answers 404: without a secret"),
        (200, 400, {}, "answers 200, which is not our view's answer"),
        (405, 200, {}, "answers 200 to a message that nobody signed"),
        (405, 502, {}, "answers 502, which is not our view's answer"),
    ],
)
def test_somebody_else_at_the_address_is_an_error(
    well: Settings, answers: Answers, get: int, post: int, headers: dict[str, str], words: str
) -> None:
    """Redirects are not followed, and a redirect's query is not shown."""
    answers(get, post, **headers)
    said = examined()["webhooks.address"]
    assert said["level"] == "error"
    assert words in said["found"]
    assert "next=" not in said["found"]


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (requests.exceptions.SSLError("secret"), "its certificate is not valid for it"),
        (requests.Timeout("secret"), "it did not answer in time"),
        (requests.ConnectionError("secret"), "it cannot be reached (ConnectionError)"),
    ],
)
def test_an_address_that_does_not_answer_is_a_warning(
    well: Settings, answers: Answers, failure: Exception, words: str
) -> None:
    """Alguna may reach it all the same, from outside."""
    answers(failure)
    said = examined()["webhooks.address"]
    assert said["level"] == "warning"
    assert words in said["found"]


def test_without_a_site_the_address_is_not_known(well: Settings, account: Account) -> None:
    """It is never taken from anything else."""
    well.ALGUNA_PORTAL_SITE_URL = ""
    assert examined().level("webhooks.address") == "skipped"
    assert not asked(account)


def test_this_very_machine_is_not_asked(well: Settings) -> None:
    """Alguna could not reach it."""
    well.DEBUG, well.ALGUNA_PORTAL_SITE_URL = True, "http://localhost:1"
    assert examined().level("webhooks.address") == "note"
