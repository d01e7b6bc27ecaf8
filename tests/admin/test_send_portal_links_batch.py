"""The batch of “Send portal link”: queries, limits, errors, and the queue with `USE_TASKS`."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.messages import ERROR
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from alguna_portal.admin import actions, send_portal_links
from alguna_portal.links import SendResult, send_links, sending
from alguna_portal.models import Customer, Membership, PortalLink
from tests.support import mailers
from tests.support.admin import (
    UNTRIED,
    UNTRIED_ONE,
    confirm,
    create_link,
    fail_at_call,
    get_list_url,
    get_messages,
    get_recipients,
    get_text,
    render_customer,
    run_action,
    run_confirmed_action,
)

LIST = get_list_url(Customer)


def create_customers(count: int) -> list[Customer]:
    """Store customers with an email address."""
    return Customer.objects.bulk_create(
        Customer(alias=f"c-{number:03}", name=f"C {number:03}", email=f"c{number}@example.com")
        for number in range(count)
    )


def test_five_hundred_links_are_sent_in_one_request(admin_client: Client, settings: Settings) -> None:
    mailers.use_email_backend(settings, "tests.support.mailers.RefusingBackend")
    mailers.RefusingBackend.opened = 0
    page = run_action(admin_client, "send_portal_link", *create_customers(500))
    with CaptureQueriesContext(connection) as queries:
        done = confirm(admin_client, page)
    assert get_messages(done) == [("success", "500 portal links sent.")]
    assert sorted(get_recipients()) == sorted(f"c{number}@example.com" for number in range(500))
    assert mailers.RefusingBackend.opened == 1
    assert PortalLink.objects.exclude(sent_at=None).values("customer").distinct().count() == 500
    assert LogEntry.objects.values("object_id").distinct().count() == 500
    # Outside of a test's transaction there are no savepoints.
    statements = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    of_links = [sql for sql in statements if sql.startswith(("INSERT", "UPDATE")) and "portallink" in sql]
    assert len(of_links) <= 1000
    assert len(statements) - len(of_links) < 40


def test_the_confirmation_page_for_five_hundred_has_few_queries(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_portal_links, "MAX_LISTED", 3)
    Customer.objects.bulk_create(Customer(alias=f"none-{number}", name="None") for number in range(4))
    create_customers(496)
    customers = list(Customer.objects.all())
    with CaptureQueriesContext(connection) as queries:
        shown = get_text(run_action(admin_client, "send_portal_link", *customers))
    assert len(queries) < 20
    assert "<h2>496 customers get mail</h2>" in shown
    assert "<p>And 493 more, not listed here.</p>" in shown
    assert "<h2>4 customers cannot be written to</h2>" in shown
    assert "<p>And 1 more, not listed here.</p>" in shown
    assert shown.count("…@example.com") == 3
    assert 'value="Send 496 portal links"' in shown


def test_messages_list_a_limited_number_of_names(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "MAX_MESSAGES", 2)
    none = Customer.objects.bulk_create(Customer(alias=f"none-{number}", name=f"N{number}") for number in range(4))
    messages = run_confirmed_action(admin_client, "send_portal_link", *none, *create_customers(1))
    assert messages[1] == (
        "warning",
        f"4 customers have no e-mail address: {render_customer(none[0])}, {render_customer(none[1])}, and 2 more",
    )


def test_a_customer_found_twice_gets_one_email(
    admin_client: Client, manager: User, viewer: User, acme: Customer
) -> None:
    Membership.objects.update(role="manager")
    Customer.objects.filter(pk=acme.pk).update(email="billing@acme.example")
    query = "?memberships__role__exact=manager"
    run_action(admin_client, "send_portal_link", acme, query=query, select_across=1, role="manager", confirmed="Send")
    assert get_recipients() == ["billing@acme.example"]


@pytest.mark.django_db(transaction=True)
def test_with_a_queue_emails_are_enqueued(admin_client: Client, queued: Any, umbrella: Customer) -> None:
    page = run_action(admin_client, "send_portal_link", *create_customers(500), umbrella)
    assert "The mail is left to workers." in get_text(page)
    done = confirm(admin_client, page)
    assert get_messages(done) == [
        ("success", "500 portal links queued: workers mail them."),
        ("warning", f"1 customer has no e-mail address: {render_customer(umbrella)}"),
    ]
    assert (len(queued.results), mail.outbox) == (500, [])
    assert {entry.get_change_message() for entry in LogEntry.objects.all()} == {"Portal link queued."}


class Clock(EmailBackend):
    """An email server that takes ten seconds for each email."""

    now = 0.0

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        """Send the emails, and advance the clock."""
        type(self).now += 10
        return super().send_messages(list(messages))


def test_the_batch_has_a_time_limit(admin_client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    mailers.use_email_backend(settings, f"{__name__}.Clock")
    monkeypatch.setattr(Clock, "now", 0.0)
    monkeypatch.setattr(sending, "monotonic", lambda: Clock.now)
    customers = create_customers(4)
    messages = run_confirmed_action(admin_client, "send_portal_link", *customers)
    untried = customers[2:]
    assert messages == [
        ("success", "2 portal links sent."),
        ("warning", UNTRIED % (2, f"{render_customer(untried[0])}, {render_customer(untried[1])}")),
    ]
    assert len(mail.outbox) == PortalLink.objects.count() == LogEntry.objects.count() == 2
    monkeypatch.setattr(actions, "START_SECONDS", 0.0)
    messages = run_confirmed_action(admin_client, "send_portal_link", untried[0])
    assert messages == [("warning", UNTRIED_ONE % render_customer(untried[0]))]


def test_an_unexpected_error_does_not_hide_sent_links(failing_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    customers = create_customers(3)
    non_member = User.objects.create_user("sue")
    send_links(customers, sent_by=non_member)
    send_links(customers, sent_by=User.objects.get(username="admin"))
    page = run_action(failing_client, "send_portal_link", *customers)
    mail.outbox.clear()
    other = Customer.objects.create(alias="other", name="Other")
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        create_link(customers[2], sent_by=non_member)
        create_link(other, sent_by=User.objects.get(username="admin"))
    fail_at_call(monkeypatch, PortalLink, "save", 3)
    assert confirm(failing_client, page).status_code == 500
    assert get_messages(failing_client.get(LIST)) == [
        ("error", "An unexpected error ended it: 1 portal link was not sent, as far as is known."),
        ("success", "2 portal links sent."),
    ]
    assert get_recipients() == ["c0@example.com", "c1@example.com"]
    entries = LogEntry.objects.order_by("object_id").values_list("object_id", flat=True)
    assert list(entries) == [str(customer.pk) for customer in customers[:2]]


def test_a_link_without_an_email_is_not_reported_as_sent(
    failing_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers = create_customers(1)
    page = run_action(failing_client, "send_portal_link", *customers)

    def fail(links: Iterable[PortalLink]) -> Any:
        for _link in links:
            raise OperationalError("lost")

    monkeypatch.setattr(sending, "send_emails", fail)
    assert confirm(failing_client, page).status_code == 500
    assert PortalLink.objects.exists()
    messages = get_messages(failing_client.get(LIST))
    assert messages == [("error", "An unexpected error ended it: 1 portal link was not sent, as far as is known.")]


@pytest.mark.django_db(transaction=True)
def test_an_unexpected_error_does_not_hide_queued_links(
    failing_client: Client, queued: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers = create_customers(2)
    page = run_action(failing_client, "send_portal_link", *customers)
    fail_at_call(monkeypatch, PortalLink, "save", 2)
    assert confirm(failing_client, page).status_code == 500
    assert get_messages(failing_client.get(LIST))[1:] == [("success", "1 portal link queued: a worker mails it.")]
    assert (len(queued.results), LogEntry.objects.get().object_id) == (1, str(customers[0].pk))


def test_an_unexpected_error_counts_no_customer_twice(failing_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    good = create_customers(4)
    none = Customer.objects.create(alias="none", name="None")
    malformed = Customer.objects.create(alias="bad", name="Bad", email="no address")
    page = run_action(failing_client, "send_portal_link", *good, none, malformed)
    fail_at_call(monkeypatch, PortalLink, "save", 2)
    assert confirm(failing_client, page).status_code == 500
    assert get_messages(failing_client.get(LIST)) == [
        ("error", "An unexpected error ended it: 3 portal links were not sent, as far as is known."),
        ("success", "1 portal link sent."),
        ("warning", f"1 customer has no e-mail address: {render_customer(none)}"),
        ("error", f"1 portal link failed (malformed e-mail address): {render_customer(malformed)}"),
    ]


def test_the_error_message_does_not_count_untried_links(acme: Customer) -> None:
    level, text = actions.get_error_message(4, SendResult(untried=[acme, acme], skipped=[acme]))
    assert (level, text) == (ERROR, "An unexpected error ended it: 1 portal link was not sent, as far as is known.")
