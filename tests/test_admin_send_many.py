"""Links sent to many customers from the admin: in one request, or left to workers."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from alguna_portal.admin import posting, sending
from alguna_portal.models import Customer, Membership, PortalLink
from alguna_portal.tasks import mail_link

from . import mailers
from .test_admin import LIST, text
from .test_admin_create import messages
from .test_admin_send import act, confirm, named, recipients
from .test_tasks import backend


@pytest.fixture
def queued(settings: Settings) -> Any:
    """A queue whose worker has the day off."""
    settings.ALGUNA_PORTAL_USE_TASKS = True
    settings.TASKS = backend("dummy")
    return mail_link.get_backend()


def rows(count: int) -> list[Customer]:
    """Make customers that can be written to."""
    return Customer.objects.bulk_create(
        Customer(alias=f"c-{number:03}", name=f"C {number:03}", email=f"c{number}@example.com")
        for number in range(count)
    )


def test_five_hundred_work_within_the_request(admin_client: Client, settings: Settings) -> None:
    """Each gets one mail, over one connection, with two statements for each and a handful for all."""
    mailers.mail_by(settings, "tests.mailers.Picky")
    mailers.Picky.opened = 0
    asked = act(admin_client, *rows(500))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        done = confirm(admin_client, asked)
    assert messages(done) == [("success", "500 portal links sent.")]
    assert sorted(recipients()) == sorted(f"c{number}@example.com" for number in range(500))
    assert mailers.Picky.opened == 1
    assert PortalLink.objects.exclude(sent_at=None).values("customer").distinct().count() == 500
    assert LogEntry.objects.values("object_id").distinct().count() == 500
    statements = [query["sql"] for query in queries]
    of_links = [sql for sql in statements if sql.startswith(("INSERT", "UPDATE")) and "portallink" in sql]
    assert len(of_links) <= 1000
    assert len(statements) - len(of_links) < 40


def test_asking_about_five_hundred_is_quick(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read once, counted, and the first of them listed."""
    monkeypatch.setattr(sending, "MOST_LISTED", 3)
    Customer.objects.bulk_create(Customer(alias=f"none-{number}", name="None") for number in range(4))
    rows(496)
    customers = list(Customer.objects.all())
    with CaptureQueriesContext(connection) as queries:
        shown = text(act(admin_client, *customers))
    assert len(queries) < 20
    assert "<h2>496 customers get mail</h2>" in shown
    assert "<p>And 493 more, not listed here.</p>" in shown
    assert "<h2>4 customers cannot be written to</h2>" in shown
    assert "<p>And 1 more, not listed here.</p>" in shown
    assert shown.count("…@example.com") == 3
    assert 'value="Send 496 portal links"' in shown


def test_messages_name_a_few(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have to fit into a cookie or a session."""
    monkeypatch.setattr(posting, "MOST_NAMED", 2)
    none = Customer.objects.bulk_create(Customer(alias=f"none-{number}", name=f"N{number}") for number in range(4))
    asked = act(admin_client, *none, *rows(1))
    told = messages(confirm(admin_client, asked))
    assert told[1] == (
        "warning",
        f"4 customers have no e-mail address: {named(none[0])}, {named(none[1])}, and 2 more",
    )


def test_who_is_found_twice_gets_one_mail(admin_client: Client, manager: User, viewer: User, acme: Customer) -> None:
    """As when a list is narrowed by its members' roles, and two of them have it."""
    Membership.objects.update(role="manager")
    Customer.objects.filter(pk=acme.pk).update(email="billing@acme.example")
    filtered = f"{LIST}?memberships__role__exact=manager"
    fields = {"action": "send_portal_link", "_selected_action": [acme.pk], "index": 0, "select_across": 1}
    admin_client.post(filtered, {**fields, "role": "manager", "confirmed": "Send"})
    assert recipients() == ["billing@acme.example"]


@pytest.mark.django_db(transaction=True)
def test_with_a_queue_mails_are_enqueued(admin_client: Client, queued: Any, umbrella: Customer) -> None:
    """It says so beforehand and afterwards, and in the history; who has no address is told at once."""
    asked = act(admin_client, *rows(500), umbrella)
    assert "The mail is left to workers." in text(asked)
    done = confirm(admin_client, asked)
    assert messages(done) == [
        ("success", "500 portal links queued: workers mail them."),
        (
            "warning",
            f"1 customer has no e-mail address: {named(umbrella)}",
        ),
    ]
    assert (len(queued.results), mail.outbox) == (500, [])
    assert {entry.get_change_message() for entry in LogEntry.objects.all()} == {"Portal link queued."}
