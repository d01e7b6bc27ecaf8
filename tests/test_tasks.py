"""Background tasks: enqueued on commit, without credentials, and safe to repeat."""

import sys
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.utils import translation
from pytest_django import Settings

from alguna_portal.conf import conf
from alguna_portal.customers.tasks import provision_customer
from alguna_portal.links import get_link_url, send_link, send_links
from alguna_portal.links.emails import LinkNotSent
from alguna_portal.links.tasks import mail_link
from alguna_portal.models import Customer, PortalLink
from alguna_portal.testing import FakeAlguna
from tests.support.logs import get_log_events
from tests.support.mailers import use_email_backend

PACKAGE = "django.tasks" if "django.tasks" in sys.modules else "django_tasks"


def backend(name: str) -> dict[str, Any]:
    """Return the TASKS setting: `dummy` stores what is enqueued, `immediate` runs it."""
    return {"default": {"BACKEND": f"{PACKAGE}.backends.{name}.{name.title()}Backend"}}


@pytest.fixture
def customer(acme: Customer) -> Customer:
    """A customer with an email address and a currency."""
    acme.email, acme.currency = "billing@acme.example", "EUR"
    acme.save()
    return acme


@pytest.fixture
def queued(settings: Settings) -> Any:
    """A queue without a worker."""
    settings.ALGUNA_PORTAL_USE_TASKS = True
    settings.TASKS = backend("dummy")
    return mail_link.get_backend()


@pytest.fixture
def alguna(empty_fake: FakeAlguna) -> FakeAlguna:
    """A fake Alguna without customers."""
    return empty_fake


@pytest.mark.django_db(transaction=True)
def test_emails_are_enqueued(queued: Any, customer: Customer, umbrella: Customer) -> None:
    """The link isn't sent yet, and the arguments contain only its key."""
    with translation.override("de"):
        posted = send_links([customer, umbrella])
    (link,) = posted.sent
    assert (link.state, posted.skipped) == ("not_sent", [umbrella])
    assert mail.outbox == []
    (result,) = queued.results
    assert list(result.args) == [link.pk, "de"]
    assert get_link_url(link) not in str(result)


@pytest.mark.django_db(transaction=True)
def test_links_are_saved_by_the_hosts_router(settings: Settings, queued: Any, customer: Customer) -> None:
    settings.DATABASE_ROUTERS = ["tests.support.database_routers.ObjectDatabaseRouter"]
    (link,) = send_links([customer]).sent
    settings.DATABASE_ROUTERS = []
    assert PortalLink.objects.get() == link
    assert len(queued.results) == 1


@pytest.mark.django_db(transaction=True)
def test_emails_are_enqueued_on_commit(queued: Any, customer: Customer) -> None:
    """After a rollback, nothing is enqueued."""
    with transaction.atomic():
        send_link(customer)
        assert queued.results == []
    assert len(queued.results) == 1
    with transaction.atomic():
        send_link(customer)
        transaction.set_rollback(True)
    assert len(queued.results) == 1


@pytest.mark.django_db(transaction=True)
def test_a_failing_queue_is_reported(
    queued: Any, customer: Customer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The link is deleted."""

    def enqueue(*_: Any, **__: Any) -> None:
        raise ConnectionRefusedError("redis://:secret@queue")

    monkeypatch.setattr(type(queued), "enqueue", enqueue)
    assert send_links([customer]).failed == [(customer, "ConnectionRefusedError")]
    with pytest.raises(LinkNotSent):
        send_link(customer)
    assert PortalLink.objects.count() == 0
    assert "secret" not in caplog.text
    for level, text, fields in get_log_events(caplog, "link_not_queued"):
        assert fields == {"link": fields["link"], "error": "ConnectionRefusedError"}
        assert isinstance(fields["link"], int)
        assert (level, text) == ("ERROR", f"Link {fields['link']} could not be enqueued (ConnectionRefusedError).")
    assert len(get_log_events(caplog, "link_not_queued")) == 2


@pytest.mark.django_db(transaction=True)
def test_a_failure_in_the_immediate_backend_is_reported(settings: Settings, customer: Customer) -> None:
    settings.ALGUNA_PORTAL_USE_TASKS = True
    settings.TASKS = backend("immediate")
    use_email_backend(settings, "tests.support.mailers.UnreachableBackend")
    assert send_links([customer]).failed == [(customer, "LinkNotSent")]
    assert PortalLink.objects.count() == 0


def test_an_expired_link_is_not_sent(queued: Any, customer: Customer) -> None:
    link = send_link(customer)
    PortalLink.objects.update(expires_at=link.created_at)
    mail_link.call(link.pk, None)
    assert mail.outbox == []


def test_a_link_is_sent_once_in_the_senders_language(queued: Any, customer: Customer) -> None:
    """Queues may run a task twice."""
    link = send_link(customer)
    for _ in range(2):
        mail_link.call(link.pk, "de")
    (message,) = mail.outbox
    assert isinstance(message, EmailMultiAlternatives)
    assert 'lang="de"' in str(message.alternatives[0][0])
    link.refresh_from_db()
    assert link.state == "active"


def test_a_revoked_or_deleted_link_is_not_sent(queued: Any, customer: Customer) -> None:
    link = send_link(customer)
    link.revoke()
    mail_link.call(link.pk, None)
    mail_link.call(0, None)
    assert mail.outbox == []


def test_a_failed_email_fails_the_task(settings: Settings, queued: Any, customer: Customer) -> None:
    """The queue shows the exception without an address and can retry."""
    link = send_link(customer)
    use_email_backend(settings, "tests.support.mailers.UnreachableBackend")
    with pytest.raises(LinkNotSent, match=rf"Link {link.pk} could not be mailed \(ConnectionRefusedError\)"):
        mail_link.call(link.pk, None)
    link.refresh_from_db()
    assert (link.state, link.failure) == ("failed", "ConnectionRefusedError")
    use_email_backend(settings, "django.core.mail.backends.locmem.EmailBackend")
    mail_link.call(link.pk, None)
    assert len(mail.outbox) == 1
    link.refresh_from_db()
    assert (link.state, link.failure) == ("active", "")


@pytest.mark.django_db(transaction=True)
def test_the_immediate_backend_sends_the_email(settings: Settings, customer: Customer) -> None:
    settings.ALGUNA_PORTAL_USE_TASKS = True
    settings.TASKS = backend("immediate")
    link = send_link(customer)
    assert len(mail.outbox) == 1
    assert PortalLink.objects.get().state == "active"
    assert link.pk


def test_nothing_is_enqueued_without_use_tasks(settings: Settings, customer: Customer) -> None:
    settings.TASKS = backend("dummy")
    send_link(customer)
    assert len(mail.outbox) == 1


def test_a_customer_is_created_by_a_task(alguna: FakeAlguna, customer: Customer) -> None:
    assert provision_customer.call(customer.pk) == "created"
    customer.refresh_from_db()
    assert customer.customer_id


def test_use_tasks_requires_a_framework(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alguna_portal.conf.types.find_spec", lambda module: None)
    settings.ALGUNA_PORTAL_USE_TASKS = True
    with pytest.raises(ImproperlyConfigured, match=r"needs django\.tasks or django_tasks, and neither"):
        _ = conf.USE_TASKS
    settings.ALGUNA_PORTAL_USE_TASKS = False
    assert conf.USE_TASKS is False


@pytest.mark.django_db(transaction=True)
def test_a_deleted_customer_does_not_stop_the_others(queued: Any, customer: Customer, umbrella: Customer) -> None:
    umbrella.email = "billing@umbrella.example"
    Customer.objects.filter(pk=customer.pk).delete()
    posted = send_links([customer, umbrella])
    assert [link.customer for link in posted.sent] == [umbrella]
    assert posted.failed == [(customer, "IntegrityError")]


@pytest.mark.django_db(transaction=True)
def test_tasks_read_from_the_primary_database(settings: Settings, alguna: FakeAlguna, customer: Customer) -> None:
    settings.ALGUNA_PORTAL_USE_TASKS = True
    settings.TASKS = backend("immediate")
    settings.DATABASE_ROUTERS = ["tests.support.database_routers.ReplicaRouter"]
    link = send_link(customer)
    assert provision_customer.call(customer.pk) == "created"
    settings.DATABASE_ROUTERS = []
    assert len(mail.outbox) == 1
    link.refresh_from_db()
    assert link.state == "active"
