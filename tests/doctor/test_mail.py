"""Mail: where it goes, from whom, and whether the server lets us in. None is sent."""

from time import monotonic
from typing import Any

import django
import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from pytest_django import Settings

from alguna_portal.doctor import context
from tests.doctor.conftest import examined
from tests.doctor.mailing import Postbox
from tests.support.mailers import mail_by


class Api(BaseEmailBackend):
    """Sends through somebody's API."""


def test_a_server_that_lets_us_in_gets_no_mail(well: Settings, postbox: Postbox) -> None:
    """Hello, who we are, and goodbye."""
    assert examined().level("mail.server") == "ok"
    assert postbox.said == ["EHLO", "AUTH", "QUIT"]
    assert not mail.outbox


def test_where_no_links_are_mailed_nobody_is_asked(well: Settings, postbox: Postbox) -> None:
    """A project under development has no mail server, and needs none."""
    well.ALGUNA_PORTAL_SITE_URL = ""
    said = examined()
    for name in ("mail.backend", "mail.sender", "mail.server"):
        assert said.level(name) == "skipped"
    assert postbox.said == []


@pytest.mark.parametrize("greeting", [b"554 no\r\n", b"no\r\n"])
def test_a_server_that_does_not_let_us_in_is_an_error(well: Settings, postbox: Postbox, greeting: bytes) -> None:
    """Its words are not repeated."""
    postbox.greeting = greeting
    said = examined()["mail.server"]
    assert said["level"] == "error"
    assert "does not let us in (SMTP" in said["found"]


def test_a_server_that_hangs_is_not_waited_for(
    well: Settings, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever Django's own timeout is, which is none."""
    postbox.greeting = b""
    real = context.Visit.seconds
    monkeypatch.setattr(context.Visit, "seconds", lambda self, at_most=5.0: min(real(self, at_most), 0.5))
    began = monotonic()
    # By the connection's own timeout or by the doctor's, whichever is first.
    assert examined().level("mail.server") == "error"
    assert monotonic() - began < 4


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("console", "mails are printed"),
        ("dummy", "mails are thrown away"),
        ("locmem", "mails stay in memory"),
        ("filebased", "mails are put into files"),
    ],
)
@pytest.mark.parametrize(("debug", "level"), [(False, "warning"), (True, "note")])
def test_a_backend_that_sends_nothing_is_said(
    well: Settings, tmp_path: Any, kind: str, words: str, debug: bool, level: str
) -> None:
    """It is looked at and not made: the one for files would begin with making its folder."""
    mail_by(well, f"django.core.mail.backends.{kind}.EmailBackend")
    if django.VERSION < (6, 1):
        well.EMAIL_FILE_PATH = str(tmp_path / "mails")
    well.DEBUG = debug
    said = examined()
    assert said.level("mail.backend") == level
    assert words in said["mail.backend"]["found"]
    assert said.level("mail.server") == "skipped"
    assert not list(tmp_path.iterdir())


def test_a_backend_of_somebody_elses_is_not_tried(well: Settings) -> None:
    """Nobody knows what opening it would do."""
    mail_by(well, "tests.doctor.test_mail.Api")
    said = examined()
    assert said["mail.backend"]["found"] == "Mails go through tests.doctor.test_mail.Api."
    assert said.level("mail.server") == "skipped"


def test_a_backend_that_cannot_be_imported_is_an_error(well: Settings) -> None:
    """As it is when the first link is mailed."""
    mail_by(well, "nowhere.EmailBackend")
    assert "(ModuleNotFoundError)" in examined()["mail.backend"]["found"]


@pytest.mark.parametrize(("debug", "level"), [(False, "warning"), (True, "note")])
def test_the_sender_that_django_makes_up_is_said(well: Settings, debug: bool, level: str) -> None:
    """An address of the host's own is not shown."""
    well.DEFAULT_FROM_EMAIL, well.DEBUG = "webmaster@localhost", debug
    assert examined("--offline").level("mail.sender") == level
    well.DEFAULT_FROM_EMAIL = "billing@example.com"
    assert "@" not in examined("--offline")["mail.sender"]["found"]
