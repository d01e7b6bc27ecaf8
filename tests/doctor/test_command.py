"""The command `alguna_doctor`: output, options, exit status, and handling of failing checks."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from pytest_django import Settings

from alguna_portal import __version__
from alguna_portal.doctor import context, runner
from alguna_portal.doctor.report import Level, format_count, format_list, skipped
from alguna_portal.doctor.runner import CHECKS, Check
from alguna_portal.models import Customer
from tests.doctor.conftest import FakeApi, run_command, run_doctor
from tests.doctor.smtp_server import SmtpServer
from tests.support.misbehaving_servers import hang, run_server

REJECTED_KEY: dict[str, Any] = {"ALGUNA_PORTAL_API_KEY": "key_1.another"}
DEFAULT_SENDER: dict[str, Any] = {"DEFAULT_FROM_EMAIL": "webmaster@localhost"}
NO_WEBHOOKS: dict[str, Any] = {"ALGUNA_PORTAL_WEBHOOK_SECRETS": [], "ALGUNA_PORTAL_PLAN_IDS": {}}
DOCS = Path(__file__).parents[2] / "docs" / "howto" / "doctor.md"


def test_healthy_deployment_has_no_problems(healthy: Settings) -> None:
    report = run_doctor()
    assert report.problems == {}
    assert report.status == 0
    assert {each["examination"] for each in report.data["findings"]} == {check.name for check in CHECKS}
    assert "Nothing is wrong; " in run_command()[1]


@pytest.mark.parametrize(
    ("changes", "arguments", "levels", "message"),
    [
        (REJECTED_KEY, [], {"error", "skipped"}, "The doctor has found 1 error."),
        (REJECTED_KEY, ["--fail-level", "warning"], {"error", "skipped"}, "The doctor has found 1 error."),
        (DEFAULT_SENDER, [], {"warning"}, ""),
        (DEFAULT_SENDER, ["--fail-level", "WARNING"], {"warning"}, "The doctor has found 1 warning."),
        (NO_WEBHOOKS, ["--offline"], {"note", "skipped"}, ""),
        (NO_WEBHOOKS, ["--offline", "--fail-level", "warning"], {"note", "skipped"}, ""),
    ],
)
def test_exit_status(
    healthy: Settings, changes: dict[str, Any], arguments: list[str], levels: set[str], message: str
) -> None:
    """Notes and skipped findings never fail. The error message is not part of the output."""
    for setting, value in changes.items():
        setattr(healthy, setting, value)
    status, output, error = run_command(*arguments)
    assert (status, error) == (bool(message), message)
    assert "The doctor has found" not in output
    report = run_doctor(*arguments)
    assert (report.status, report.data["failed"]) == (status, bool(status))
    assert set(report.problems.values()) == levels


def test_json_has_the_documented_keys(healthy: Settings) -> None:
    report = json.loads(run_command("--json", "--offline")[1])
    assert list(report) == ["format", "version", "failed", "fail_level", "counts", "findings"]
    assert (report["format"], report["version"], report["fail_level"]) == (1, __version__, "error")
    assert list(report["counts"]) == [level.value for level in Level]
    assert sum(report["counts"].values()) == len(report["findings"])
    for finding in report["findings"]:
        assert list(finding) == ["examination", "name", "level", "found", "remedy"]
        assert re.fullmatch(r"[a-z]+\.[A-Za-z0-9_]+", finding["name"])


def test_text_has_80_columns_and_remedies(healthy: Settings) -> None:
    """It has no colours, since the output is not a terminal."""
    healthy.ALLOWED_HOSTS = ["elsewhere.example.com"]
    output = run_command()[1]
    assert max(map(len, output.splitlines())) < 80
    assert "\x1b" not in output
    problem = output[output.index("  error ") :].partition("\n  ok")[0]
    assert "[links.site]\n           → Add “app.example.com” to ALLOWED_HOSTS" in problem
    assert re.search(r"\n1 error; [0-9]+ in order\.\n\Z", output)


def test_colours_do_not_change_the_layout(healthy: Settings) -> None:
    output = run_command("--force-color", "--offline")[1]
    assert "\x1b[32;1mok\x1b[0m       All settings can be read." in output


def test_verbosity_0_shows_problems_and_summary_only(healthy: Settings) -> None:
    assert run_command("--verbosity", "0")[1].count("\n") == 1
    healthy.DEFAULT_FROM_EMAIL = "webmaster@localhost"
    assert run_command("--verbosity", "0")[1].startswith("Mail\n  warning  Mails are from webmaster@localhost")


def test_offline_sends_no_requests(healthy: Settings, api: FakeApi, smtp_server: SmtpServer) -> None:
    healthy.ALGUNA_PORTAL_URL_HOSTS = ["billing.example.com"]
    report = run_doctor("--offline")
    assert list(report.problems) == ["key.works", "hosts.own", "mail.server", "webhooks.address", "customers.known"]
    assert set(report.problems.values()) == {"skipped"}
    assert not api.http.calls
    assert not smtp_server.commands


@pytest.mark.parametrize(
    "failure", [OperationalError("password of mia"), ImproperlyConfigured("redis://:password@host")]
)
def test_failing_check_does_not_stop_the_others(
    healthy: Settings, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """Its earlier findings are kept. The text of the exception is not shown, since it may contain secrets."""

    def run(_context: context.DoctorContext) -> Any:
        yield skipped("cache.size", "Before.")
        raise failure

    monkeypatch.setattr(runner, "CHECKS", (Check(name="cache", title="Cache", run=run), CHECKS[0]))
    report = run_doctor()
    assert [each["name"] for each in report.data["findings"]] == ["cache.size", "cache.examined", "settings.valid"]
    assert report["cache.examined"]["found"] == f"This could not be looked at: {type(failure).__name__}."
    assert report.status == 1


def test_wrong_setting_is_reported_once(healthy: Settings) -> None:
    healthy.ALGUNA_PORTAL_URL_HOSTS = "alguna.io"
    report = run_doctor()
    assert report.get_level("settings.E007") == "error"
    assert report["hosts.examined"]["found"] == "Not to be looked at while ALGUNA_PORTAL_URL_HOSTS is wrong."
    assert report.data["counts"]["error"] == 1


def test_time_limit_skips_requests_only(healthy: Settings, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "TOTAL_SECONDS", 0.0)
    start = monotonic()
    report = run_doctor()
    assert monotonic() - start < 5
    assert report["account.examined"]["found"] == "There was no time left for the rest of this."
    assert report.get_level("customers.examined") == "skipped"
    assert report.get_level("database.plans") == "ok"
    assert not api.http.calls


def test_hanging_api_has_a_time_limit(production: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is shorter than the timeouts in the settings, and later checks don't wait again."""
    monkeypatch.setattr(context, "TOTAL_SECONDS", 1.0)
    production.ALGUNA_PORTAL_WEBHOOK_SECRETS = []
    production.ALGUNA_PORTAL_TIMEOUT = production.ALGUNA_PORTAL_TIME_BUDGET = 60
    Customer.objects.create(alias="a")
    start = monotonic()
    with run_server(hang) as production.ALGUNA_PORTAL_API_URL:
        report = run_doctor()
    assert monotonic() - start < 10
    assert report["key.works"]["found"] == "Alguna could not be asked."
    assert report.get_level("customers.known") == "skipped"


@pytest.mark.parametrize(
    ("function", "arguments", "text"),
    [
        (format_count, (1, "plan"), "1 plan"),
        (format_count, (0, "plan"), "0 plans"),
        (format_count, (1250, "entry", "entries"), "1,250 entries"),
        (format_list, (["a", "b"],), "a, b"),
        (format_list, (["a", "b", "c", "d"], 2), "a, b and 2 more"),
    ],
)
def test_formatting(function: Callable[..., str], arguments: tuple[Any, ...], text: str) -> None:
    assert function(*arguments) == text


def test_finding_names_are_documented(healthy: Settings) -> None:
    """Checked with the names of a healthy deployment, and of one with problems."""
    names = {each["name"] for each in run_doctor().data["findings"]}
    healthy.ALGUNA_PORTAL_WEBHOOK_SECRETS = []
    healthy.ALGUNA_PORTAL_URL_HOSTS = [".io", "localhost", "billing.example.com"]
    names |= {each["name"] for each in run_doctor("--offline").data["findings"]}
    documented = set(re.findall(r"`([a-z]+\.[a-z_]+)`", DOCS.read_text()))
    assert len(names) > 25
    assert not names - documented
