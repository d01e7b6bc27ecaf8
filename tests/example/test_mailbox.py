"""The example's mails: kept for a page of the demo's, sent in earnest elsewhere."""

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


def shell(manage: Manage, code: str, **environment: str) -> str:
    """Run code in the example; return what it prints."""
    done = manage("shell", "--no-imports", "-c", code, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_empty_mailbox_says_how_mail_gets_there(manage: Manage) -> None:
    """As after `make clean demo`."""
    shown = shell(manage, SHOW + "show(reverse('mailbox'))")
    assert shown.startswith("200 ")
    assert "No mail yet" in shown
    assert "/admin/alguna_portal/customer/" in shown


def test_the_mailbox_lists_the_newest_first_and_escapes_what_mails_say(manage: Manage) -> None:
    """A subject is a text, on the list and on the mail's page."""
    shown = shell(manage, SEND + SHOW + "show(reverse('mailbox'))")
    assert "ann@example.com" in shown
    assert shown.index("&lt;script&gt;alert(1)&lt;/script&gt; &amp; more") < shown.index("First")
    assert "<script>" not in shown
    last = "from example_project.studio.mailbox import get_emails\nshow(reverse('mail', args=[get_emails()[0].name]))"
    shown = shell(manage, SHOW + last)
    assert "<h1>&lt;script&gt;alert(1)&lt;/script&gt; &amp; more</h1>" in shown
    assert "Dear &lt;b&gt;Ann&lt;/b&gt;," in shown
    assert 'href="https://example.com/a"' in shown
    assert "<script>" not in shown
    assert 'sandbox="allow-top-navigation-by-user-activation"' in shown


def test_the_html_of_a_mail_is_shown_where_it_can_do_nothing(manage: Manage) -> None:
    """Also where it is opened without the frame: it has no script, no form, no origin, and fetches nothing."""
    code = (
        "from example_project.studio.mailbox import get_emails\n"
        "answer = show(reverse('mail_html', args=[get_emails()[0].name]))\n"
        "print(answer.headers['Content-Security-Policy'], answer.headers['X-Frame-Options'])"
    )
    shown = shell(manage, SEND + SHOW + code)
    assert shown.startswith('200 <!doctype html><base target="_top"><p')
    assert "sandbox allow-top-navigation-by-user-activation; default-src 'none'; " in shown
    assert "allow-scripts" not in shown
    assert shown.rstrip().endswith("SAMEORIGIN")


@pytest.mark.parametrize("name", ["none", "..", "../db", "%2e%2e%2fdb"])
def test_no_name_leads_to_another_file(manage: Manage, tmp_path: Path, name: str) -> None:
    """Only mails are in the mailbox."""
    (tmp_path / "db.eml").write_text("Subject: not a mail of ours\n\nx")
    shown = shell(manage, SHOW + f"print(client.get('/demo/mail/{name}/').status_code)")
    assert shown.split() == ["404"]


@pytest.mark.parametrize(
    "environment", [PRODUCTION, {"EMAIL_URL": "memorymail://"}], ids=["outside DEBUG", "where mails are sent"]
)
def test_elsewhere_there_is_no_mailbox(manage: Manage, environment: dict[str, str]) -> None:
    """Neither its page, nor a link to it: what is mailed to somebody is theirs."""
    assert manage("migrate", "--verbosity", "0").returncode == 0
    code = "print(client.get('/demo/mail/', secure=True).status_code)\nshow('/')"
    shown = shell(manage, SHOW + code, **environment)
    assert shown.startswith("404")
    assert "Mailbox" not in shown
    assert "mailbox" not in shown


def test_mails_stay_here_in_the_demo_and_lead_back_to_it(manage: Manage) -> None:
    """Without a variable but the port."""
    assert shell(manage, BACKEND, PORT="8123").split() == [
        "example_project.studio.mailbox",
        *"----",
        "http://localhost:8123",
    ]


def test_a_mail_server_comes_from_the_environment(manage: Manage) -> None:
    """Outside DEBUG and under it, with the site's address beside it."""
    server = {
        "EMAIL_URL": "smtp+tls://ann:secret@mail.example.com:587",
        "ALGUNA_PORTAL_SITE_URL": "https://kilns.example.com",
    }
    for environment in (PRODUCTION, {}):
        assert shell(manage, BACKEND, **environment, **server).split() == [
            "django.core.mail.backends.smtp",
            *("mail.example.com", "587", "ann", "True"),
            "https://kilns.example.com",
        ]


def test_in_production_a_link_leads_nowhere_until_its_site_is_named(manage: Manage) -> None:
    """No address is guessed; mails would go to this machine's own server, and not into a log."""
    shown = shell(manage, BACKEND, **PRODUCTION).split()
    assert shown == ["django.core.mail.backends.smtp", "localhost", "25", "-", "-", "nowhere"]
