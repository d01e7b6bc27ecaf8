"""The checks of `ALGUNA_PORTAL_URL_HOSTS`."""

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from pytest_django import Settings
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import NameResolutionError

from alguna_portal.doctor import context
from tests.doctor.conftest import FakeApi, run_doctor

OWN = "billing.example.com"


def test_defaults_are_ok(healthy: Settings, api: FakeApi) -> None:
    """The hosts are not probed, and no session is created."""
    report = run_doctor()
    assert report.get_level("hosts.list") == "ok"
    assert "hosts.own" not in report
    assert not [each for each in api.requests if "portal" in each]


@pytest.mark.parametrize("host", [".io", ".com", ".co.uk", ".com.au"])
def test_hosts_that_anyone_can_register_are_an_error(healthy: Settings, host: str) -> None:
    healthy.ALGUNA_PORTAL_URL_HOSTS = ["alguna.io", host]
    report = run_doctor()
    assert report.get_level("hosts.wide") == "error"
    assert "hosts.own" not in report


@pytest.mark.parametrize(("debug", "is_reported"), [(False, True), (True, False)])
def test_loopback_host_is_allowed_with_debug_only(healthy: Settings, debug: bool, is_reported: bool) -> None:
    healthy.DEBUG = debug
    healthy.ALGUNA_PORTAL_URL_HOSTS = ["alguna.io", "localhost"]
    assert ("hosts.local" in run_doctor("--offline")) is is_reported


def test_sandbox_portal_has_to_be_listed(healthy: Settings) -> None:
    healthy.DEBUG, healthy.ALGUNA_PORTAL_API_URL = True, "http://localhost:8000/sandbox"
    finding = run_doctor("--offline")["hosts.local"]
    assert (finding["level"], finding["remedy"]) == ("warning", "Add “localhost”.")


def create_unknown_host_error() -> requests.ConnectionError:
    """Return the exception that `requests` raises if a name can't be resolved."""
    failure = requests.ConnectionError("secret")
    failure.__context__ = NameResolutionError(OWN, HTTPSConnection(OWN), socket.gaierror())
    return failure


@pytest.mark.parametrize(
    ("result", "level", "found"),
    [
        ({"status": 200}, "ok", "answers over HTTPS."),
        ({"status": 404}, "ok", "answers over HTTPS."),
        ({"body": requests.exceptions.SSLError("secret")}, "error", "and its certificate is not valid for it."),
        ({"body": create_unknown_host_error()}, "error", "and its name cannot be resolved."),
        # Only this machine may be unable to reach it.
        ({"body": requests.ConnectionError("secret")}, "warning", "and it cannot be reached (ConnectionError)."),
    ],
)
def test_own_domain(healthy: Settings, api: FakeApi, result: dict[str, Any], level: str, found: str) -> None:
    healthy.ALGUNA_PORTAL_URL_HOSTS = ["alguna.io", OWN]
    api.http.add("GET", f"https://{OWN}/", **result)
    finding = run_doctor()["hosts.own"]
    assert finding["level"] == level
    assert finding["found"] == (f"{OWN} {found}" if level == "ok" else f"{OWN} was asked over HTTPS, {found}")
    (request,) = [call.request for call in api.http.calls if urlsplit(str(call.request.url)).hostname == OWN]
    assert "Authorization" not in request.headers


def test_all_subdomains_of_own_domain_are_a_note(healthy: Settings) -> None:
    healthy.ALGUNA_PORTAL_URL_HOSTS = [".example.com"]
    assert run_doctor().get_level("hosts.own") == "note"


def test_number_of_probes_is_limited(healthy: Settings) -> None:
    healthy.ALGUNA_PORTAL_URL_HOSTS = [f"b{number}.example.com" for number in range(7)]
    assert run_doctor("--offline").find_all("hosts.own")[-1]["found"] == "2 further domains not looked at."


def test_own_domain_is_skipped_if_no_time_is_left(healthy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy.ALGUNA_PORTAL_URL_HOSTS = [OWN]
    monkeypatch.setattr(context, "TOTAL_SECONDS", 0.0)
    assert run_doctor()["hosts.own"]["found"] == f"{OWN} was not asked: there was no time left."
