"""The checks of the email backend and the SMTP server."""

from pathlib import Path
from time import monotonic

import django
import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from pytest_django import Settings

from alguna_portal.doctor.context import DoctorContext
from tests.doctor.conftest import run_doctor
from tests.doctor.smtp_server import SmtpServer
from tests.support.mailers import use_email_backend


class CustomBackend(BaseEmailBackend):
    """A backend of another package."""


def test_login_sends_no_email(healthy: Settings, smtp_server: SmtpServer) -> None:
    assert run_doctor().get_level("mail.server") == "ok"
    assert smtp_server.commands == ["EHLO", "AUTH", "QUIT"]
    assert not mail.outbox


@pytest.mark.parametrize("greeting", [b"554 no\r\n", b"no\r\n"])
def test_rejected_connection_is_an_error(healthy: Settings, smtp_server: SmtpServer, greeting: bytes) -> None:
    smtp_server.greeting = greeting
    finding = run_doctor()["mail.server"]
    assert finding["level"] == "error"
    assert "does not let us in (SMTP" in finding["found"]


def test_hanging_server_has_a_time_limit(
    healthy: Settings, smtp_server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either the connection or the doctor stops first. Django's own default is no timeout."""
    smtp_server.greeting = b""
    get_timeout = DoctorContext.get_timeout
    monkeypatch.setattr(DoctorContext, "get_timeout", lambda self, limit=5.0: min(get_timeout(self, limit), 0.5))
    start = monotonic()
    assert run_doctor().get_level("mail.server") == "error"
    assert monotonic() - start < 4


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("console", "mails are printed"),
        ("dummy", "mails are thrown away"),
        ("locmem", "mails stay in memory"),
        ("filebased", "mails are put into files"),
    ],
)
@pytest.mark.parametrize(("debug", "level"), [(False, "warning"), (True, "note")])
def test_backend_that_sends_nothing(
    healthy: Settings, tmp_path: Path, kind: str, found: str, debug: bool, level: str
) -> None:
    """No instance of the backend is created, since the file backend would create its folder."""
    use_email_backend(healthy, f"django.core.mail.backends.{kind}.EmailBackend")
    if django.VERSION < (6, 1):
        healthy.EMAIL_FILE_PATH = str(tmp_path / "mails")
    healthy.DEBUG = debug
    report = run_doctor()
    assert report.get_level("mail.backend") == level
    assert found in report["mail.backend"]["found"]
    assert report.get_level("mail.server") == "skipped"
    assert not list(tmp_path.iterdir())


def test_custom_backend_is_only_imported(healthy: Settings) -> None:
    use_email_backend(healthy, f"{__name__}.CustomBackend")
    report = run_doctor()
    assert report["mail.backend"]["found"] == f"Mails go through {__name__}.CustomBackend."
    assert report.get_level("mail.server") == "skipped"
    use_email_backend(healthy, "nowhere.EmailBackend")
    assert "(ModuleNotFoundError)" in run_doctor()["mail.backend"]["found"]


def test_own_sender_is_not_shown(healthy: Settings) -> None:
    healthy.DEFAULT_FROM_EMAIL = "billing@example.com"
    assert "@" not in run_doctor("--offline")["mail.sender"]["found"]
