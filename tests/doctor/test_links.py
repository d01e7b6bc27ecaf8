"""The checks of emailed links. `test_findings` has those of the site's URL and the secret key."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import path, set_script_prefix
from pytest_django import Settings

from alguna_portal.doctor import links
from tests.doctor.conftest import WEBHOOK, FakeApi, run_doctor
from tests.doctor.smtp_server import SmtpServer


def catch_all(request: HttpRequest, token: str) -> HttpResponse:
    """Respond to every path."""
    return HttpResponse()


urlpatterns = [path("<path:token>", catch_all, name="elsewhere")]


def test_missing_site_url_is_a_note(healthy: Settings, api: FakeApi, smtp_server: SmtpServer) -> None:
    """Checks that need it are skipped."""
    healthy.ALGUNA_PORTAL_SITE_URL = ""
    report = run_doctor()
    assert report.get_level("links.site") == "note"
    assert "links.signing" not in report
    for name in ("mail.backend", "mail.sender", "mail.server", "webhooks.address"):
        assert report.get_level(name) == "skipped"
    assert smtp_server.commands == []
    assert not [call for call in api.http.calls if call.request.url == WEBHOOK]


def test_missing_urls_are_an_error(healthy: Settings) -> None:
    healthy.ROOT_URLCONF = "tests.doctor.test_links"
    report = run_doctor("--offline")
    assert report["links.signing"]["found"] == "Links have no address: alguna_portal.urls is not in your URLs."
    assert report.get_level("webhooks.address") == "error"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://app.example.com/nowhere/", "leads nowhere"),
        ("https://app.example.com/billing/webhook/", "leads to the view “alguna_portal:webhook”"),
        ("https://app.example.com/billing/link/abc.def/", "signature of a link is not accepted"),
    ],
)
def test_link_that_does_not_open_is_an_error(
    healthy: Settings, monkeypatch: pytest.MonkeyPatch, url: str, found: str
) -> None:
    monkeypatch.setattr(links, "get_link_url", lambda _link: url)
    finding = run_doctor("--offline")["links.signing"]
    assert finding["level"] == "error"
    assert found in finding["found"]


def test_script_name_is_supported(healthy: Settings) -> None:
    set_script_prefix("/below/")
    try:
        assert run_doctor("--offline").get_level("links.signing") == "ok"
    finally:
        set_script_prefix("/")


def test_empty_secret_key_does_not_stop_other_checks(healthy: Settings) -> None:
    """Django raises an exception whenever the setting is read."""
    healthy.SECRET_KEY = ""
    report = run_doctor("--offline")
    assert report["links.examined"]["found"] == "This could not be looked at: ImproperlyConfigured."
    assert report.get_level("mail.backend") == "ok"
