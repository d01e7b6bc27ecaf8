"""Work left to workers: enqueued where that is set up, without credentials in the queue, and done once."""

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
from tests.support.logs import logged
from tests.support.mailers import mail_by

PACKAGE = "django.tasks" if "django.tasks" in sys.modules else "django_tasks"


def backend(name: str) -> dict[str, Any]:
    """Settings of the tasks framework: `dummy` keeps what is enqueued, `immediate` runs it at once."""
    return {"default": {"BACKEND": f"{PACKAGE}.backends.{name}.{name.title()}Backend"}}


@pytest.fixture
def customer(acme: Customer) -> Customer:
    """A customer that can be written to."""
    acme.email, acme.currency = "billing@acme.example", "EUR"
    acme.save()
    return acme


@pytest.fixture
def queued(settings: Settings) -> Any:
    """A queue whose worker has the day off."""
    settings.ALGUNA_PORTAL_USE_TASKS = True
    settings.TASKS = backend("dummy")
    return mail_link.get_backend()


@pytest.fixture
def alguna(fresh_alguna: FakeAlguna) -> FakeAlguna:
    """An Alguna that knows nobody yet."""
    return fresh_alguna


@pytest.mark.django_db(transaction=True)
def test_mails_are_enqueued_and_not_sent(queued: Any, customer: Customer, umbrella: Customer) -> None:
    """The link is there, says that it waits, and what is enqueued names its row alone."""
    with translation.override("de"):
        posted = send_links([customer, umbrella])
    (link,) = posted.sent
    assert (link.state, posted.skipped) == ("not_sent", [umbrella])
    assert mail.outbox == []
    (result,) = queued.results
    assert list(result.args) == [link.pk, "de"]
    assert get_link_url(link) not in str(result)


@pytest.mark.django_db(transaction=True)
def test_a_link_is_saved_where_its_customer_is(settings: Settings, queued: Any, customer: Customer) -> None:
    """By a host's router, which is told what is written."""
    settings.DATABASE_ROUTERS = ["tests.support.database_routers.Elsewhere"]
    (link,) = send_links([customer]).sent
    settings.DATABASE_ROUTERS = []
    assert PortalLink.objects.get() == link
    assert len(queued.results) == 1


@pytest.mark.django_db(transaction=True)
def test_in_a_transaction_a_mail_is_enqueued_when_it_is_committed(queued: Any, customer: Customer) -> None:
    """A worker that is quick would find no link before; and of what is rolled back nobody hears."""
    with transaction.atomic():
        send_link(customer)
        assert queued.results == []
    assert len(queued.results) == 1
    with transaction.atomic():
        send_link(customer)
        transaction.set_rollback(True)
    assert len(queued.results) == 1


@pytest.mark.django_db(transaction=True)
def test_a_queue_that_is_down_is_reported(
    queued: Any, customer: Customer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And no link is left that nobody will mail."""

    def enqueue(*_: Any, **__: Any) -> None:
        raise ConnectionRefusedError("redis://:secret@queue")

    monkeypatch.setattr(type(queued), "enqueue", enqueue)
    assert send_links([customer]).failed == [(customer, "ConnectionRefusedError")]
    with pytest.raises(LinkNotSent):
        send_link(customer)
    assert PortalLink.objects.count() == 0
    assert "secret" not in caplog.text
    for level, text, fields in logged(caplog, "link_not_queued"):
        assert fields == {"link": fields["link"], "error": "ConnectionRefusedError"}
        assert isinstance(fields["link"], int)
        assert (level, text) == ("ERROR", f"Link {fields['link']} could not be enqueued (ConnectionRefusedError).")
    assert len(logged(caplog, "link_not_queued")) == 2


@pytest.mark.django_db(transaction=True)
def test_a_mail_that_fails_at_once_is_reported_at_once(settings: Settings, customer: Customer) -> None:
    """By the immediate backend, which is what Django has unless told otherwise."""
    settings.ALGUNA_PORTAL_USE_TASKS = True
    settings.TASKS = backend("immediate")
    mail_by(settings, "tests.support.mailers.Down")
    assert send_links([customer]).failed == [(customer, "LinkNotSent")]
    assert PortalLink.objects.count() == 0


def test_a_link_that_is_over_is_not_mailed(queued: Any, customer: Customer) -> None:
    """The queue stood still for too long."""
    link = send_link(customer)
    PortalLink.objects.update(expires_at=link.created_at)
    mail_link.call(link.pk, None)
    assert mail.outbox == []


def test_a_worker_mails_the_link_once_in_the_senders_language(queued: Any, customer: Customer) -> None:
    """Queues deliver twice now and then."""
    link = send_link(customer)
    for _ in range(2):
        mail_link.call(link.pk, "de")
    (message,) = mail.outbox
    assert isinstance(message, EmailMultiAlternatives)
    assert 'lang="de"' in str(message.alternatives[0][0])
    link.refresh_from_db()
    assert link.state == "active"


def test_a_link_that_was_revoked_meanwhile_is_not_mailed(queued: Any, customer: Customer) -> None:
    """Nor is one that is gone."""
    link = send_link(customer)
    link.revoke()
    mail_link.call(link.pk, None)
    mail_link.call(0, None)
    assert mail.outbox == []


def test_a_mail_that_fails_in_a_worker_is_the_workers_failure(
    settings: Settings, queued: Any, customer: Customer
) -> None:
    """So that the queue shows it, without an address, and can try again."""
    link = send_link(customer)
    mail_by(settings, "tests.support.mailers.Down")
    with pytest.raises(LinkNotSent, match=rf"Link {link.pk} could not be mailed \(ConnectionRefusedError\)"):
        mail_link.call(link.pk, None)
    link.refresh_from_db()
    assert (link.state, link.failure) == ("failed", "ConnectionRefusedError")
    mail_by(settings, "django.core.mail.backends.locmem.EmailBackend")
    mail_link.call(link.pk, None)
    assert len(mail.outbox) == 1
    link.refresh_from_db()
    assert (link.state, link.failure) == ("active", "")


@pytest.mark.django_db(transaction=True)
def test_the_framework_runs_it_at_once_where_it_is_set_up_so(settings: Settings, customer: Customer) -> None:
    """As its default does."""
    settings.ALGUNA_PORTAL_USE_TASKS = True
    settings.TASKS = backend("immediate")
    link = send_link(customer)
    assert len(mail.outbox) == 1
    assert PortalLink.objects.get().state == "active"
    assert link.pk


def test_without_the_setting_nothing_is_enqueued(settings: Settings, customer: Customer) -> None:
    """Whatever framework is there."""
    settings.TASKS = backend("dummy")
    send_link(customer)
    assert len(mail.outbox) == 1


def test_a_customer_is_created_by_a_worker(alguna: FakeAlguna, customer: Customer) -> None:
    """Which reads the row, so that nothing about it is in the queue."""
    assert provision_customer.call(customer.pk) == "created"
    customer.refresh_from_db()
    assert customer.customer_id


def test_where_there_is_no_framework_the_setting_is_wrong(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says what is needed; off, it needs nothing."""
    monkeypatch.setattr("alguna_portal.conf.types.find_spec", lambda module: None)
    settings.ALGUNA_PORTAL_USE_TASKS = True
    with pytest.raises(ImproperlyConfigured, match=r"needs django\.tasks or django_tasks, and neither"):
        _ = conf.USE_TASKS
    settings.ALGUNA_PORTAL_USE_TASKS = False
    assert conf.USE_TASKS is False


@pytest.mark.django_db(transaction=True)
def test_a_customer_that_is_deleted_meanwhile_stops_nobody_else(
    queued: Any, customer: Customer, umbrella: Customer
) -> None:
    """Its link cannot be saved; those of the others are enqueued."""
    umbrella.email = "billing@umbrella.example"
    Customer.objects.filter(pk=customer.pk).delete()
    posted = send_links([customer, umbrella])
    assert [link.customer for link in posted.sent] == [umbrella]
    assert posted.failed == [(customer, "IntegrityError")]


@pytest.mark.django_db(transaction=True)
def test_workers_read_where_it_is_written(settings: Settings, alguna: FakeAlguna, customer: Customer) -> None:
    """A replica may not have it yet, and a mail that finds no link is lost."""
    settings.ALGUNA_PORTAL_USE_TASKS = True
    settings.TASKS = backend("immediate")
    settings.DATABASE_ROUTERS = ["tests.support.database_routers.Replica"]
    link = send_link(customer)
    assert provision_customer.call(customer.pk) == "created"
    settings.DATABASE_ROUTERS = []
    assert len(mail.outbox) == 1
    link.refresh_from_db()
    assert link.state == "active"
