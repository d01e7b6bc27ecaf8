"""`manage.py alguna_doctor`: what it says, to whom, and how it ends."""

import json
import re
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from pytest_django import Settings

from alguna_portal import __version__
from alguna_portal.doctor import context, runner
from alguna_portal.doctor.report import Level, counted, named, skipped
from alguna_portal.doctor.runner import EXAMINATIONS, Examination
from alguna_portal.models import Customer
from tests.doctor.conftest import Account, examined, run
from tests.doctor.mailing import Postbox
from tests.support.misbehaving_servers import hang, served

DOCS = Path(__file__).parents[2] / "docs" / "howto" / "doctor.md"


def test_a_deployment_in_good_health_has_nothing_wrong(well: Settings) -> None:
    """Each examination has looked at something, and all of it is in order."""
    said = examined()
    assert said.problems == {}
    assert said.status == 0
    assert {each["examination"] for each in said.report["findings"]} == {each.name for each in EXAMINATIONS}
    assert "Nothing is wrong; " in run()[1]


@pytest.mark.parametrize("arguments", [(), ("--fail-level", "warning")])
def test_an_error_is_an_exit_status(well: Settings, arguments: tuple[str, ...]) -> None:
    """Whatever else is in order; the failure itself is said beside the report, not in it."""
    well.ALGUNA_PORTAL_API_KEY = "key_1.another"
    status, said, failure = run(*arguments)
    assert status == 1
    assert failure == "The doctor has found 1 error."
    assert failure not in said


@pytest.mark.parametrize(("arguments", "status"), [((), 0), (("--fail-level", "WARNING"), 1)])
def test_a_warning_is_an_exit_status_where_it_shall_be(well: Settings, arguments: tuple[str, ...], status: int) -> None:
    """As in Django's own `check`."""
    well.DEFAULT_FROM_EMAIL = "webmaster@localhost"
    said = examined(*arguments)
    assert said.problems == {"mail.sender": "warning"}
    assert (said.status, said.report["failed"]) == (status, bool(status))
    assert run(*arguments)[2] == ("The doctor has found 1 warning." if status else "")


@pytest.mark.parametrize("arguments", [(), ("--fail-level", "warning")])
def test_notes_never_fail(well: Settings, arguments: tuple[str, ...]) -> None:
    """Nor does what was skipped."""
    well.ALGUNA_PORTAL_WEBHOOK_SECRETS = []
    well.ALGUNA_PORTAL_PLAN_IDS = {}
    said = examined("--offline", *arguments)
    assert set(said.problems.values()) == {"note", "skipped"}
    assert said.status == 0


def test_the_json_has_the_shape_that_is_documented(well: Settings) -> None:
    """And it is all that is said."""
    report = json.loads(run("--json", "--offline")[1])
    assert list(report) == ["format", "version", "failed", "fail_level", "counts", "findings"]
    assert (report["format"], report["version"], report["fail_level"]) == (1, __version__, "error")
    assert list(report["counts"]) == [level.value for level in Level]
    assert sum(report["counts"].values()) == len(report["findings"])
    for finding in report["findings"]:
        assert list(finding) == ["examination", "name", "level", "found", "remedy"]
        assert re.fullmatch(r"[a-z]+\.[A-Za-z0-9_]+", finding["name"])


def test_the_text_fits_a_terminal_and_says_what_to_do(well: Settings) -> None:
    """80 columns, without colours where nobody sees them; a problem has its name and its remedy under it."""
    well.ALLOWED_HOSTS = ["elsewhere.example.com"]
    _status, said, _failure = run()
    assert max(map(len, said.splitlines())) < 80
    assert "\x1b" not in said
    problem = said[said.index("  error ") :].partition("\n  ok")[0]
    assert "[links.site]\n           → Add “app.example.com” to ALLOWED_HOSTS" in problem
    assert re.search(r"\n1 error; [0-9]+ in order\.\n\Z", said)


def test_colours_can_be_asked_for(well: Settings) -> None:
    """They mark the levels, and take no room."""
    said = run("--force-color", "--offline")[1]
    assert "\x1b[32;1mok\x1b[0m       All settings can be read." in said


def test_less_can_be_said(well: Settings) -> None:
    """Only what is wrong, and the sum."""
    assert run("--verbosity", "0")[1].count("\n") == 1
    well.DEFAULT_FROM_EMAIL = "webmaster@localhost"
    assert run("--verbosity", "0")[1].startswith("Mail\n  warning  Mails are from webmaster@localhost")


def test_nobody_is_asked_offline(well: Settings, account: Account, postbox: Postbox) -> None:
    """Neither Alguna, nor the site, nor the mail server, nor a portal's domain."""
    well.ALGUNA_PORTAL_URL_HOSTS = ["billing.example.com"]
    said = examined("--offline")
    assert list(said.problems) == ["key.works", "hosts.own", "mail.server", "webhooks.address", "customers.known"]
    assert set(said.problems.values()) == {"skipped"}
    assert not account.http.calls
    assert not postbox.said


def test_an_examination_that_crashes_keeps_no_other_from_its_turn(
    well: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an error by its name, and what it said before stays."""

    def look(_visit: context.Visit) -> Any:
        yield skipped("cache.size", "Before.")
        raise OperationalError("password of mia")

    crashing = Examination(name="cache", title="Cache", look=look)
    monkeypatch.setattr(runner, "EXAMINATIONS", (crashing, EXAMINATIONS[0]))
    said = examined()
    assert [each["name"] for each in said.report["findings"]] == ["cache.size", "cache.examined", "settings.valid"]
    assert said["cache.examined"]["found"] == "This could not be looked at: OperationalError."
    assert said.status == 1


def test_a_wrong_setting_is_said_once(well: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is needed elsewhere, that is skipped."""
    well.ALGUNA_PORTAL_URL_HOSTS = "alguna.io"
    said = examined()
    assert said.level("settings.E007") == "error"
    assert said["hosts.examined"]["found"] == "Not to be looked at while ALGUNA_PORTAL_URL_HOSTS is wrong."
    assert said.report["counts"]["error"] == 1


def test_a_wrong_setting_of_somebody_elses_is_an_error(well: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has said it yet, and its text may hold anything."""

    def look(_visit: context.Visit) -> Any:
        raise ImproperlyConfigured("redis://:password@cache")

    monkeypatch.setattr(runner, "EXAMINATIONS", (Examination(name="cache", title="Cache", look=look),))
    assert examined()["cache.examined"]["found"] == "This could not be looked at: ImproperlyConfigured."


def test_it_ends_when_time_is_up(well: Settings, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """What asks nobody is looked at all the same."""
    monkeypatch.setattr(context, "SECONDS", 0.0)
    began = monotonic()
    said = examined()
    assert monotonic() - began < 5
    assert said["account.examined"]["found"] == "There was no time left for the rest of this."
    assert said.level("customers.examined") == "skipped"
    assert said.level("database.plans") == "ok"
    assert not account.http.calls


def test_an_alguna_that_hangs_is_not_waited_for(site: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long its timeouts are; nor does what comes later take longer for it."""
    monkeypatch.setattr(context, "SECONDS", 1.0)
    site.ALGUNA_PORTAL_WEBHOOK_SECRETS = []
    site.ALGUNA_PORTAL_TIMEOUT = site.ALGUNA_PORTAL_TIME_BUDGET = 60
    Customer.objects.create(alias="a")
    began = monotonic()
    with served(hang) as site.ALGUNA_PORTAL_API_URL:
        said = examined()
    assert monotonic() - began < 10
    assert said["key.works"]["found"] == "Alguna could not be asked."
    assert said.level("customers.known") == "skipped"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((1, "plan"), "1 plan"), ((0, "plan"), "0 plans"), ((1250, "entry", "entries"), "1,250 entries")],
)
def test_numbers_are_said_as_people_say_them(arguments: tuple[Any, ...], said: str) -> None:
    """One is one, and thousands are set apart."""
    assert counted(*arguments) == said


def test_long_lists_are_cut_short() -> None:
    """How many were left out is said."""
    assert named(["a", "b"]) == "a, b"
    assert named(["a", "b", "c", "d"], most=2) == "a, b and 2 more"


def test_every_name_is_in_the_docs(well: Settings) -> None:
    """Those of a deployment in good health, and those of an offline look at one that is not."""
    names = {each["name"] for each in examined().report["findings"]}
    well.ALGUNA_PORTAL_WEBHOOK_SECRETS = []
    well.ALGUNA_PORTAL_URL_HOSTS = [".io", "localhost", "billing.example.com"]
    names |= {each["name"] for each in examined("--offline").report["findings"]}
    documented = set(re.findall(r"`([a-z]+\.[a-z_]+)`", DOCS.read_text()))
    assert len(names) > 25
    assert not names - documented
