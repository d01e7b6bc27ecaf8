"""Portal hosts: the list, and the company's own domains."""

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from pytest_django import Settings
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import NameResolutionError

from alguna_portal.doctor import context
from tests.doctor.conftest import Account, Said, examined

OWN = "billing.example.com"


@pytest.fixture(autouse=True)
def _dns(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(host: str, *_: Any, **__: Any) -> Any:
        if host.startswith("127."):
            return real(host, *_, **__)
        if host == OWN:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "acme.alguna.site.", ("192.0.2.1", 443))]
        if host == "plain.example.com":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, host, ("192.0.2.1", 443))]
        raise socket.gaierror(-2, "Name or service not known")

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setattr("alguna_portal.doctor.probes.getaddrinfo", found)


def own(said: Said) -> list[dict[str, str]]:
    """What was said of the company's own domains."""
    return [each for each in said.report["findings"] if each["name"] == "hosts.own"]


def test_the_defaults_are_in_order(well: Settings, account: Account) -> None:
    """And nobody is asked about them; no session is made."""
    said = examined()
    assert said.level("hosts.list") == "ok"
    assert not own(said)
    assert not [each for each in account.requests if "portal" in each]


@pytest.mark.parametrize("host", [".io", ".com", ".co.uk", ".com.au"])
def test_a_list_that_lets_anybody_in_is_an_error(well: Settings, host: str) -> None:
    """They are not asked, either."""
    well.ALGUNA_PORTAL_URL_HOSTS = ["alguna.io", host]
    said = examined()
    assert said.level("hosts.wide") == "error"
    assert not own(said)


def test_an_empty_list_is_an_error(well: Settings) -> None:
    """No portal could be opened."""
    well.ALGUNA_PORTAL_URL_HOSTS = []
    assert examined("--offline").level("hosts.list") == "error"


@pytest.mark.parametrize(("debug", "warned"), [(False, True), (True, False)])
def test_the_users_own_machine_belongs_to_development(well: Settings, debug: bool, warned: bool) -> None:
    """There, the sandbox's portal is at it."""
    well.DEBUG = debug
    well.ALGUNA_PORTAL_URL_HOSTS = ["alguna.io", "localhost"]
    assert ("hosts.local" in examined("--offline")) is warned


def test_the_sandboxs_portal_has_to_be_listed(well: Settings) -> None:
    """Else its sessions are refused."""
    well.DEBUG, well.ALGUNA_PORTAL_API_URL = True, "http://localhost:8000/sandbox"
    said = examined("--offline")["hosts.local"]
    assert (said["level"], said["remedy"]) == ("warning", "Add “localhost”.")


def test_a_domain_of_the_companys_own_is_asked(well: Settings, account: Account) -> None:
    """Whatever it answers; without the key."""
    well.ALGUNA_PORTAL_URL_HOSTS = ["alguna.io", OWN]
    account.http.add("GET", f"https://{OWN}/", status=404)
    (said,) = own(examined())
    assert said["found"] == f"{OWN} answers over HTTPS (a CNAME of acme.alguna.site)."
    (request,) = [call.request for call in account.http.calls if urlsplit(str(call.request.url)).hostname == OWN]
    assert "Authorization" not in request.headers


@pytest.mark.parametrize("host", ["plain.example.com", "proxied.example.com"])
def test_a_domain_need_have_no_cname(well: Settings, account: Account, host: str) -> None:
    """Nor be in DNS at all, where a proxy knows it."""
    well.ALGUNA_PORTAL_URL_HOSTS = [host]
    account.http.add("GET", f"https://{host}/", status=200)
    (said,) = own(examined())
    assert said["found"] == f"{host} answers over HTTPS."


def unknown() -> requests.ConnectionError:
    """Fail as `requests` does where a name cannot be resolved."""
    failure = requests.ConnectionError("secret")
    failure.__context__ = NameResolutionError(OWN, HTTPSConnection(OWN), socket.gaierror())
    return failure


@pytest.mark.parametrize(
    ("failure", "level", "words"),
    [
        (requests.exceptions.SSLError("secret"), "error", "its certificate is not valid for it"),
        (unknown(), "error", "its name cannot be resolved"),
        (requests.ConnectionError("secret"), "warning", "it cannot be reached (ConnectionError)"),
    ],
)
def test_a_domain_that_browsers_would_not_open_is_said(
    well: Settings, account: Account, failure: Exception, level: str, words: str
) -> None:
    """One that only this machine cannot reach is a warning."""
    well.ALGUNA_PORTAL_URL_HOSTS = [OWN]
    account.http.add("GET", f"https://{OWN}/", body=failure)
    (said,) = own(examined())
    assert said["level"] == level
    assert said["found"] == f"{OWN} was asked over HTTPS, and {words}."


def test_every_subdomain_is_more_than_a_portal_needs(well: Settings) -> None:
    """A note: nobody knows which of them to ask."""
    well.ALGUNA_PORTAL_URL_HOSTS = [".example.com"]
    (said,) = own(examined())
    assert said["level"] == "note"


def test_not_more_than_some_domains_are_asked(well: Settings) -> None:
    """How many were left out is said."""
    well.ALGUNA_PORTAL_URL_HOSTS = [f"b{number}.example.com" for number in range(7)]
    assert own(examined("--offline"))[-1]["found"] == "2 further domains not looked at."


def test_domains_that_there_is_no_time_for_are_named(well: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them."""
    well.ALGUNA_PORTAL_URL_HOSTS = [OWN]
    monkeypatch.setattr(context, "SECONDS", 0.0)
    assert own(examined())[0]["found"] == f"{OWN} was not asked: there was no time left."
