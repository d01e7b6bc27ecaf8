"""The admin of webhook deliveries: list and page without the payload, and the action “Handle again”."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from alguna_portal.admin import actions
from alguna_portal.models import Customer, WebhookDelivery
from alguna_portal.testing import FakeAlguna
from alguna_portal.webhooks import inbox
from tests.support.admin import (
    PERSONAL,
    RECEIVED_AT,
    create_delivery,
    fail_at_call,
    get_list_url,
    get_messages,
    get_rows,
    get_text,
    get_url,
    run_action,
    sign_in,
)
from tests.support.webhooks import register_receiver
from tests.test_tasks import backend

LIST = get_list_url(WebhookDelivery)

pytestmark = pytest.mark.django_db


def get_ids(client: Client, **query: str) -> list[str]:
    """Return the message ids in the changelist."""
    return [row.message_id for row in get_rows(client.get(LIST, query))]


def handle_again(client: Client, *deliveries: WebhookDelivery) -> list[tuple[str, str]]:
    """Run the action, and return the messages."""
    return get_messages(run_action(client, "handle_again", *deliveries))


def refuse(_event: object) -> None:
    """Fail, as a receiver."""
    raise LookupError(PERSONAL)


@pytest.fixture
def fake(empty_fake: FakeAlguna, settings: Settings) -> FakeAlguna:
    """An Alguna API without customers, with two mapped plans."""
    settings.ALGUNA_PORTAL_PLAN_IDS = {"plan_starter": "starter", "plan_growth": "growth"}
    return empty_fake


@pytest.fixture
def delivery(fake: FakeAlguna, acme: Customer) -> WebhookDelivery:
    """A failed delivery about a customer whose plan has changed in Alguna."""
    customer_id = fake.add_customer(acme.alias)
    Customer.objects.filter(pk=acme.pk).update(customer_id=customer_id)
    fake.change_plan(acme.alias, "plan_growth")
    payload = f'{{"accountId": "{customer_id}", "email": "{PERSONAL}"}}'
    return create_delivery(
        type="subscription.updated", payload=payload, state="failed", error="plans: AlgunaUnavailable"
    )


def test_the_payload_is_not_shown(admin_client: Client) -> None:
    row = create_delivery(state="failed", error="shop.receive: KeyError", tries=3, done=["plans", "shop.count"])
    listed = get_text(admin_client.get(LIST))
    for each in ("invoice.paid", "msg_1", "failed", "shop.receive: KeyError", "May 6, 2026"):
        assert each in listed
    page = get_text(admin_client.get(get_url(row)))
    for each in ("invoice.paid", "msg_1", "failed", "shop.receive: KeyError", "<div>plans</div><div>shop.count</div>"):
        assert each in page
    run_action(admin_client, "handle_again", row)
    history = get_text(admin_client.get(get_url(row, "history")))
    assert "Handling tried again." in history
    for content in (listed, page, history):
        assert PERSONAL not in content
        assert "accountId" not in content


def test_a_plan_that_is_not_mapped_is_shown_with_the_remedy(admin_client: Client) -> None:
    remedy = "<strong>Add the plan to ALGUNA_PORTAL_PLAN_IDS, and handle the message again.</strong>"
    page = admin_client.get(get_url(create_delivery(state="unmapped")))
    assert f"<div>plan not mapped</div>{remedy}" in get_text(page)
    assert "PLAN_IDS" not in get_text(admin_client.get(get_url(create_delivery(state="waiting"))))


def test_the_payload_is_not_loaded(admin_client: Client, django_assert_max_num_queries: Any) -> None:
    row = create_delivery()
    for address in (LIST, get_url(row)):
        with django_assert_max_num_queries(12) as queries:
            admin_client.get(address)
        assert not any("payload" in query["sql"] for query in queries.captured_queries)


def test_deliveries_are_filtered_and_searched(admin_client: Client) -> None:
    rows = [
        create_delivery(),
        create_delivery(type="subscription.updated", state="failed"),
        create_delivery(type="subscriptions"),
        create_delivery(type="invoice", received_at=RECEIVED_AT - timedelta(days=40)),
    ]
    ids = [row.message_id for row in rows]
    assert get_ids(admin_client) == [ids[2], ids[1], ids[0], ids[3]]
    assert get_ids(admin_client, state__exact="failed") == [ids[1]]
    assert get_ids(admin_client, about="subscription") == [ids[1]]
    assert get_ids(admin_client, about="invoice") == [ids[0], ids[3]]
    assert get_ids(admin_client, received_at__year="2026", received_at__month="3") == [ids[3]]
    assert get_ids(admin_client, q="msg_3") == [ids[2]]
    assert get_ids(admin_client, q="updated") == [ids[1]]


def test_the_type_filter_offers_recent_types_and_the_chosen_one(admin_client: Client) -> None:
    for kind in ("invoice.paid", "invoice.created", "subscription.version.updated"):
        create_delivery(type=kind)
    (_state, about) = admin_client.get(LIST).context["cl"].filter_specs
    assert [kind for kind, _label in about.lookup_choices] == ["invoice", "subscription"]
    found = admin_client.get(LIST, {"about": "payment"}).context["cl"]
    assert [kind for kind, _label in found.filter_specs[1].lookup_choices] == ["invoice", "payment", "subscription"]
    assert not found.result_list


def test_the_action_needs_the_change_permission(non_member: User, delivery: WebhookDelivery, acme: Customer) -> None:
    assert sign_in(non_member).get(LIST).status_code == 403
    client = sign_in(non_member, "view_webhookdelivery")
    assert "handle_again" not in get_text(client.get(LIST))
    run_action(client, "handle_again", delivery)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries) == ("failed", 0)
    client = sign_in(non_member, "change_webhookdelivery")
    assert "handle_again" in get_text(client.get(LIST))
    assert handle_again(client, delivery) == [("success", "1 message handled.")]


def test_redelivery_runs_each_receiver_once(admin_client: Client, delivery: WebhookDelivery, acme: Customer) -> None:
    with register_receiver("subscription.*") as heard:
        assert handle_again(admin_client, delivery) == [("success", "1 message handled.")]
        assert handle_again(admin_client, delivery) == [("info", "1 message was left out: it is handled already.")]
    assert len(heard) == 1
    acme.refresh_from_db()
    delivery.refresh_from_db()
    assert (acme.plan, delivery.state, delivery.payload, delivery.error) == ("growth", "handled", "", "")
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.get_change_message()) == (str(delivery.pk), "Handling tried again.")
    assert entry.object_repr == "subscription.updated, handled"


def test_each_outcome_is_reported_without_personal_data(
    admin_client: Client, fake: FakeAlguna, delivery: WebhookDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = Customer.objects.create(alias="new-1", customer_id=fake.add_customer("new-1"))
    fake.change_plan("new-1", "plan_new")
    rows = [
        delivery,
        create_delivery(state="handled", payload=""),
        create_delivery(type="subscription.updated", payload=f'{{"accountId": "{new.customer_id}"}}'),
        create_delivery(claimed_until=timezone.now() + timedelta(minutes=1)),
        create_delivery(type="invoice.void"),
        create_delivery(type="invoice.void"),
        create_delivery(type="invoice.lost"),
        create_delivery(type="invoice.gone"),
    ]
    get = WebhookDelivery.objects.get

    def get_changed(**key: Any) -> WebhookDelivery:
        if key == {"pk": rows[6].pk}:
            raise DatabaseError(f"row of {PERSONAL}")
        if key == {"pk": rows[7].pk}:
            rows[7].delete()
        return get(**key)

    monkeypatch.setattr(WebhookDelivery.objects, "get", get_changed)
    with register_receiver("invoice.void", then=refuse):
        messages = handle_again(admin_client, *rows)
    (failed,) = (text for level, text in messages if "LookupError" in text)
    assert messages == [
        ("success", "1 message handled."),
        ("info", "1 message was left out: it is handled already."),
        ("info", "1 message is being handled by somebody else."),
        ("warning", "1 message was deleted meanwhile."),
        (
            "warning",
            "1 message tells of a plan that is not mapped. Add it to ALGUNA_PORTAL_PLAN_IDS, and handle the message "
            "again.",
        ),
        ("error", failed),
        ("error", "1 message failed (DatabaseError)."),
    ]
    assert failed.startswith("2 messages failed (tests.support.webhooks.receiver_")
    assert PERSONAL not in str(messages)
    assert LogEntry.objects.count() == 4


def test_during_an_outage_the_delivery_stays_failed(
    admin_client: Client, fake: FakeAlguna, delivery: WebhookDelivery
) -> None:
    fake.fail(503, times=9)
    assert handle_again(admin_client, delivery) == [("error", "1 message failed (plans: AlgunaUnavailable).")]
    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries, PERSONAL in delivery.payload) == ("failed", 1, True)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("PLAN_IDS", 7, "1 message failed (plans: ImproperlyConfigured)."),
        ("API_KEY", "", "1 message failed (plans: ImproperlyConfigured)."),
        ("USE_TASKS", "maybe", "ALGUNA_PORTAL_USE_TASKS"),
    ],
)
def test_invalid_settings_are_reported(
    admin_client: Client, delivery: WebhookDelivery, settings: Settings, name: str, value: Any, text: str
) -> None:
    setattr(settings, f"ALGUNA_PORTAL_{name}", value)
    ((level, found),) = handle_again(admin_client, delivery)
    assert level == "error"
    assert found.startswith(text)


def test_the_batch_has_a_time_limit_and_starts_with_the_oldest(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [create_delivery(received_at=RECEIVED_AT - timedelta(days=number)) for number in range(4)]
    clock = [100.0]
    monkeypatch.setattr(actions, "monotonic", lambda: clock[0])

    def take_long(_event: object) -> None:
        clock[0] += 8.0

    with register_receiver("invoice.*", then=take_long) as heard:
        messages = handle_again(admin_client, *rows)
    assert messages == [
        ("success", "2 messages handled."),
        ("warning", "2 messages were not tried. Select them again later."),
    ]
    assert [event.id for event in heard] == [rows[3].message_id, rows[2].message_id]


def test_many_different_errors_share_a_message(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "MAX_MESSAGES", 1)
    rows = [create_delivery(type=f"invoice.{number}") for number in range(3)]

    def raise_error(event: Any) -> None:
        raise {"0": KeyError, "1": LookupError, "2": LookupError}[event.type.partition(".")[2]]

    with register_receiver("invoice.*", then=raise_error):
        messages = handle_again(admin_client, *rows)
    assert len(messages) == 2
    assert messages[0][1].startswith("2 messages failed (")
    assert messages[0][1].endswith("LookupError).")
    assert messages[1] == ("error", "1 message failed (…).")


def test_an_unexpected_error_does_not_hide_handled_deliveries(
    failing_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [create_delivery(), create_delivery(), create_delivery()]
    fail_at_call(monkeypatch, inbox, "process_delivery", 2, RuntimeError())
    assert run_action(failing_client, "handle_again", *rows).status_code == 500
    assert LogEntry.objects.get().object_id == str(rows[0].pk)
    assert get_messages(failing_client.get(LIST)) == [
        ("success", "1 message handled."),
        ("warning", "2 messages were not tried. Select them again later."),
    ]


@pytest.mark.django_db(transaction=True)
def test_with_a_queue_deliveries_are_queued(admin_client: Client, queued: Any) -> None:
    rows = [create_delivery(state=state) for state in ("waiting", "failed", "unmapped", "handled")]
    messages = handle_again(admin_client, *rows)
    assert messages == [
        ("success", "3 messages queued: workers handle them."),
        ("info", "1 message was left out: it is handled already."),
    ]
    assert [list(result.args) for result in queued.results] == [[row.pk] for row in rows[:3]]
    assert {entry.get_change_message() for entry in LogEntry.objects.all()} == {"Queued to be handled again."}
    assert LogEntry.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_an_immediate_queue_is_reported_by_outcome(
    admin_client: Client, settings: Settings, delivery: WebhookDelivery
) -> None:
    settings.ALGUNA_PORTAL_USE_TASKS = True
    settings.TASKS = backend("immediate")
    bad = create_delivery(type="invoice.void")
    with register_receiver("invoice.void", then=refuse):
        messages = handle_again(admin_client, delivery, bad)
    assert [level for level, _text in messages] == ["success", "error"]
    assert messages[0][1] == "1 message handled."


@pytest.mark.django_db(transaction=True)
def test_a_failing_queue_stops_the_batch(admin_client: Client, queued: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: Any) -> None:
        raise ConnectionError("amqp://user:password@queue")

    monkeypatch.setattr(type(queued), "enqueue", lost)
    assert handle_again(admin_client, create_delivery(), create_delivery(), create_delivery()) == [
        ("error", "1 message could not be queued."),
        ("warning", "2 messages were not tried. Select them again later."),
    ]
    assert not LogEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_expired_claim_is_not_reported_as_busy(
    admin_client: Client, queued: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(type(queued), "enqueue", lost)
    over = create_delivery(claimed_until=timezone.now() - timedelta(seconds=1))
    assert handle_again(admin_client, over) == [("error", "1 message could not be queued.")]
    claimed = create_delivery(claimed_until=timezone.now() + timedelta(minutes=1))
    assert handle_again(admin_client, claimed) == [("info", "1 message is being handled by somebody else.")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("workers", [True, False])
def test_a_delivery_handled_during_the_request_is_reported_as_such(
    admin_client: Client, queued: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch, *, workers: bool
) -> None:
    settings.ALGUNA_PORTAL_USE_TASKS = workers
    row = create_delivery()
    get = WebhookDelivery.objects.get

    def get_changed(**key: Any) -> WebhookDelivery:
        WebhookDelivery.objects.filter(pk=row.pk).update(state="handled", payload="")
        return get(**key)

    monkeypatch.setattr(WebhookDelivery.objects, "get", get_changed)
    messages = handle_again(admin_client, row, create_delivery(state="handled", payload=""))
    assert messages == [("info", "2 messages were left out: they are handled already.")]
    assert (list(queued.results), LogEntry.objects.exists()) == ([], False)
