"""Very large and invalid cookies cause no errors, and their content isn't logged."""

import logging
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from alguna_portal.models import PortalLink
from tests.conftest import FakeApi
from tests.support.clients import BILLING, FORMS, sign_in
from tests.support.emails import get_link_path

MEGABYTE = 1024 * 1024
FILLING = "Zy" * (MEGABYTE // 2)
NAMES = ["x", "sessionid", "csrftoken", "messages", "django_language", "alguna_sandbox_browser"]


@pytest.mark.parametrize("reuse", ["user", "browser"])
@pytest.mark.parametrize("name", NAMES)
def test_a_cookie_of_a_megabyte_causes_no_error_and_is_not_logged(
    alguna: FakeApi, manager: User, link: PortalLink, settings: Settings, caplog: pytest.LogCaptureFixture,
    name: str, reuse: str,
) -> None:  # fmt: skip
    """For signed-in and anonymous users, in each format, and on the page of an emailed link."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = reuse
    caplog.set_level(logging.DEBUG)
    # Django logs SQL only under DEBUG, with its parameters.
    caplog.set_level(logging.WARNING, "django.db.backends")
    for client in (sign_in(manager), Client()):
        client.cookies[name] = FILLING
        for headers in FORMS.values():
            for response in (client.get(BILLING, headers=headers), client.post(BILLING, headers=headers)):
                assert response.status_code in (200, 302, 401)
        assert client.get(get_link_path(link)).status_code == 200
        assert client.post(get_link_path(link)).status_code == 200
        assert client.get("/admin/alguna_portal/customer/").status_code == 302
    assert not any("ZyZy" in record.getMessage() for record in caplog.records)


ODD = [
    "=", ";", "=;=;=", "sessionid", "sessionid=", 'sessionid="', 'sessionid="\\000\\377"', "sessionid=\x00",
    "sessionid=a; sessionid=b", "; ".join(f"c{n}=1" for n in range(20_000)), "messages=[[]]", "messages=a:b:c",
    "\xff=\xfe", "csrftoken=%00",
    '$Version="1"; sessionid="a"; $Path="/"', "sessionid=" + "%00" * 100, "csrftoken=" + "é" * 64, "expires=0", "[]=1",
]  # fmt: skip


@pytest.mark.parametrize("cookie", ODD)
def test_invalid_cookies_cause_no_errors(alguna: FakeApi, manager: User, link: PortalLink, cookie: str) -> None:
    headers = {"Cookie": cookie}
    for address in (BILLING, get_link_path(link), "/admin/alguna_portal/customer/"):
        for client in (Client(), Client(enforce_csrf_checks=True)):
            assert client.get(address, headers=headers).status_code in (200, 302)
            assert client.post(address, headers=headers).status_code in (200, 302, 403)


def test_a_live_server_handles_large_cookies(
    live_server: LiveServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """The server rejects one long line; many short lines reach the app."""
    caplog.set_level(logging.INFO)
    host, port = urlsplit(live_server.url).hostname, urlsplit(live_server.url).port
    for lines in ([FILLING], [FILLING[:60_000]] * 17):
        http = HTTPConnection(host or "", port, timeout=20)
        http.putrequest("GET", BILLING)
        for number, line in enumerate(lines):
            http.putheader("Cookie", f"c{number}={line}")
        try:
            http.endheaders()
            response = http.getresponse()
        except (TimeoutError, ConnectionError):
            # The server closed the connection before it had read everything.
            assert len(lines) == 1
        else:
            assert response.status == (302 if len(lines) > 1 else 431)
            assert b"Traceback" not in response.read()
        http.close()
    output = "".join(record.getMessage() for record in caplog.records) + "".join(capfd.readouterr())
    assert "ZyZy" not in output
    assert "Traceback" not in output
