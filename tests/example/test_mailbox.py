"""Emails of the example project: stored for the mailbox in the demo, sent elsewhere."""

from pathlib import Path

import pytest

from tests.example.test_pages import Manage
from tests.example.test_pages import manage as manage  # the fixture

pytestmark = pytest.mark.slow

SHOW = """
from django.test import Client
from django.urls import reverse
client = Client(headers={"host": "localhost"})
def show(address):
    answer = client.get(address, secure=True)
    print(answer.status_code, answer.content.decode())
    return answer
"""
SEND = """
from django.core.mail import EmailMultiAlternatives
for subject in ("First", "<script>alert(1)</script> & more"):
    mail = EmailMultiAlternatives(subject, "Dear <b>Ann</b>,\\nsee https://example.com/a", to=["ann@example.com"])
    mail.attach_alternative("<!doctype html><p onclick='x()'>Dear Ann<script>alert(2)</script>", "text/html")
    mail.send()
"""
PRODUCTION = {
    "DEBUG": "0",
    "SECRET_KEY": "a-secret-of-more-than-fifty-characters-0123456789-abcdefgh",
    "ALLOWED_HOSTS": "localhost",
}
BACKEND = """
import django
from django.conf import settings
from django.core import mail
if django.VERSION >= (6, 1):
    server = mail.mailers.default
else:
    server = mail.get_connection()
print(type(server).__module__, *(getattr(server, name, "") or "-" for name in ("host", "port", "username", "use_tls")))
print(settings.ALGUNA_PORTAL_SITE_URL or "nowhere")
"""


def run(manage: Manage, code: str, **environment: str) -> str:
    """Run code in the example project; return its output."""
    process = manage("shell", "--no-imports", "-c", code, **environment)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_empty_mailbox_explains_how_to_send_an_email(manage: Manage) -> None:
    shown = run(manage, SHOW + "show(reverse('mailbox'))")
    assert shown.startswith("200 ")
    assert "No mail yet" in shown
    assert "/admin/alguna_portal/customer/" in shown


def test_mailbox_lists_the_newest_email_first_and_escapes_it(manage: Manage) -> None:
    shown = run(manage, SEND + SHOW + "show(reverse('mailbox'))")
    assert "ann@example.com" in shown
    assert shown.index("&lt;script&gt;alert(1)&lt;/script&gt; &amp; more") < shown.index("First")
    assert "<script>" not in shown
    last = "from example_project.studio.mailbox import get_emails\nshow(reverse('mail', args=[get_emails()[0].name]))"
    shown = run(manage, SHOW + last)
    assert "<h1>&lt;script&gt;alert(1)&lt;/script&gt; &amp; more</h1>" in shown
    assert "Dear &lt;b&gt;Ann&lt;/b&gt;," in shown
    assert 'href="https://example.com/a"' in shown
    assert "<script>" not in shown
    assert 'sandbox="allow-top-navigation-by-user-activation"' in shown


def test_html_of_an_email_is_sandboxed(manage: Manage) -> None:
    """Even without the frame, it has no scripts, forms, origin or external resources."""
    code = (
        "from example_project.studio.mailbox import get_emails\n"
        "answer = show(reverse('mail_html', args=[get_emails()[0].name]))\n"
        "print(answer.headers['Content-Security-Policy'], answer.headers['X-Frame-Options'])"
    )
    shown = run(manage, SEND + SHOW + code)
    assert shown.startswith('200 <!doctype html><base target="_top"><p')
    assert "sandbox allow-top-navigation-by-user-activation; default-src 'none'; " in shown
    assert "allow-scripts" not in shown
    assert shown.rstrip().endswith("SAMEORIGIN")


@pytest.mark.parametrize("name", ["none", "..", "../db", "%2e%2e%2fdb"])
def test_name_cannot_lead_to_a_file_outside_the_mailbox(manage: Manage, tmp_path: Path, name: str) -> None:
    (tmp_path / "db.eml").write_text("Subject: not a mail of ours\n\nx")
    shown = run(manage, SHOW + f"print(client.get('/demo/mail/{name}/').status_code)")
    assert shown.split() == ["404"]


@pytest.mark.parametrize(
    "environment", [PRODUCTION, {"EMAIL_URL": "memorymail://"}], ids=["outside DEBUG", "where mails are sent"]
)
def test_mailbox_only_exists_in_the_demo(manage: Manage, environment: dict[str, str]) -> None:
    assert manage("migrate", "--verbosity", "0").returncode == 0
    code = "print(client.get('/demo/mail/', secure=True).status_code)\nshow('/')"
    shown = run(manage, SHOW + code, **environment)
    assert shown.startswith("404")
    assert "Mailbox" not in shown
    assert "mailbox" not in shown


def test_demo_stores_emails_and_links_to_itself(manage: Manage) -> None:
    assert run(manage, BACKEND, PORT="8123").split() == [
        "example_project.studio.mailbox",
        *"----",
        "http://localhost:8123",
    ]


def test_email_server_is_set_by_the_environment(manage: Manage) -> None:
    """With and without DEBUG."""
    server = {
        "EMAIL_URL": "smtp+tls://ann:secret@mail.example.com:587",
        "ALGUNA_PORTAL_SITE_URL": "https://kilns.example.com",
    }
    for environment in (PRODUCTION, {}):
        assert run(manage, BACKEND, **environment, **server).split() == [
            "django.core.mail.backends.smtp",
            *("mail.example.com", "587", "ann", "True"),
            "https://kilns.example.com",
        ]


def test_site_url_has_no_default_in_production(manage: Manage) -> None:
    """Emails would be sent by the local server and not written to a log."""
    shown = run(manage, BACKEND, **PRODUCTION).split()
    assert shown == ["django.core.mail.backends.smtp", "localhost", "25", "-", "-", "nowhere"]
