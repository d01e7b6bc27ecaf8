"""Links by mail: where they begin, and whether they are found again."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import path, set_script_prefix
from pytest_django import Settings

from alguna_portal.doctor import links
from tests.doctor.conftest import examined


def elsewhere(request: HttpRequest, token: str) -> HttpResponse:
    """Take all paths."""
    return HttpResponse()


urlpatterns = [path("<path:token>", elsewhere, name="elsewhere")]


def test_without_a_site_no_links_can_be_mailed(well: Settings) -> None:
    """Nobody need mail any."""
    well.ALGUNA_PORTAL_SITE_URL = ""
    said = examined("--offline")
    assert said.level("links.site") == "note"
    assert "links.signing" not in said


def test_a_site_that_is_none_is_said_once(well: Settings) -> None:
    """By the settings' own check."""
    well.ALGUNA_PORTAL_SITE_URL = "app.example.com"
    said = examined("--offline")
    assert said.level("settings.E021") == "error"
    assert said.level("links.examined") == "skipped"


@pytest.mark.parametrize(
    ("address", "hosts", "debug", "level"),
    [
        ("https://app.example.com", [".example.com"], False, "ok"),
        ("https://app.example.com", [], False, "error"),
        ("https://app.example.com", ["example.com"], False, "error"),
        ("http://localhost:8000", ["*"], False, "error"),
        ("http://localhost:8000", [], True, "ok"),
        ("http://[::1]:8000", [], True, "ok"),
        ("https://app.example.com", [], True, "error"),
    ],
)
def test_links_lead_to_a_host_that_answers(
    well: Settings, address: str, hosts: list[str], debug: bool, level: str
) -> None:
    """Outside DEBUG, to another machine than the reader's own."""
    well.ALGUNA_PORTAL_SITE_URL, well.ALLOWED_HOSTS, well.DEBUG = address, hosts, debug
    assert examined("--offline").level("links.site") == level


def test_links_without_an_address_are_an_error(well: Settings) -> None:
    """The remedy is the line that is missing."""
    well.ROOT_URLCONF = "tests.doctor.test_links"
    said = examined("--offline")
    assert said["links.signing"]["found"] == "Links have no address: alguna_portal.urls is not in your URLs."
    assert said.level("webhooks.address") == "error"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("https://app.example.com/nowhere/", "leads nowhere"),
        ("https://app.example.com/billing/webhook/", "leads to the view “alguna_portal:webhook”"),
        ("https://app.example.com/billing/link/abc.def/", "signature of a link is not accepted"),
    ],
)
def test_a_link_that_is_not_found_again_is_an_error(
    well: Settings, monkeypatch: pytest.MonkeyPatch, address: str, words: str
) -> None:
    """Something else takes its path, or the key is another one each time."""
    monkeypatch.setattr(links, "get_link_url", lambda _link: address)
    said = examined("--offline")["links.signing"]
    assert said["level"] == "error"
    assert words in said["found"]


def test_links_below_a_prefix_are_found(well: Settings) -> None:
    """As with FORCE_SCRIPT_NAME."""
    set_script_prefix("/below/")
    try:
        assert examined("--offline").level("links.signing") == "ok"
    finally:
        set_script_prefix("/")


@pytest.mark.parametrize(
    ("secret", "fallbacks", "debug", "level"),
    [
        ("django-insecure-" + "a1" * 30, [], False, "warning"),
        ("short-one", [], False, "warning"),
        ("short-one", [], True, "note"),
        ("a1" * 30, [], False, "ok"),
        ("a1" * 30, [""], False, "error"),
    ],
)
def test_a_secret_key_that_can_be_guessed_is_said(
    well: Settings, secret: str, fallbacks: list[Any], debug: bool, level: str
) -> None:
    """Links are worth no more than it."""
    well.SECRET_KEY, well.SECRET_KEY_FALLBACKS, well.DEBUG = secret, fallbacks, debug
    assert examined("--offline").level("links.secret") == level


def test_former_keys_are_counted(well: Settings) -> None:
    """What they signed still works."""
    well.SECRET_KEY_FALLBACKS = ["b2" * 30]
    assert "Those signed with 1 former key still work." in examined("--offline")["links.signing"]["found"]


def test_without_a_secret_key_the_rest_is_looked_at(well: Settings) -> None:
    """Django refuses to read an empty one, each time that it is asked."""
    well.SECRET_KEY = ""
    said = examined("--offline")
    assert said["links.examined"]["found"] == "This could not be looked at: ImproperlyConfigured."
    assert said.level("mail.backend") == "ok"
