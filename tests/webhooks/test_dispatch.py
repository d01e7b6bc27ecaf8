"""Dispatch of webhook events: duplicates, failing receivers, crashes, concurrency and background tasks."""

import logging
from contextlib import ExitStack, suppress
from datetime import timedelta
from importlib import import_module
from typing import Any

import django
import pytest
import time_machine
from asgiref.sync import markcoroutinefunction
from django.contrib.auth.models import Group
from django.db import DatabaseError, OperationalError, connection
from django.utils import timezone
from pytest_django import Settings

from alguna_portal.models import WebhookDelivery
from alguna_portal.signals import webhook_received
from alguna_portal.webhooks import Event, PayloadError, dispatch, on
from alguna_portal.webhooks.tasks import PAUSES, handle_delivery
from tests.support.logs import get_log_events
from tests.support.webhooks import SECRET, create_message, post_message, register_receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _secret(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = [SECRET]


class Crash(BaseException):
    """The process is killed."""


def receivers() -> list[dispatch.Receiver]:
    """Return all registered receivers."""
    return list(dispatch._registered.values())


def fail(_event: Event) -> None:
    """Fail without a message."""
    raise LookupError


def crash(_event: Event) -> None:
    """Simulate a killed process."""
    raise Crash


def get_state() -> tuple[str, int, str]:
    """Return the state, the number of tries and the last part of the error of the only message."""
    delivery = WebhookDelivery.objects.get()
    return delivery.state, delivery.tries, delivery.error.rpartition(".")[2]


def test_a_duplicate_message_is_not_handled_again() -> None:
    with register_receiver("*") as received:
        assert [post_message(create_message(), ident="msg_1") for _ in range(3)] == [204] * 3
        assert post_message(create_message(), ident="msg_2") == 204
    assert [event.id for event in received] == ["msg_1", "msg_2"]
    assert WebhookDelivery.objects.get(message_id="msg_1").tries == 1


def test_a_duplicate_message_with_other_content_is_ignored() -> None:
    with register_receiver("*") as received:
        post_message(create_message("a.b", of="first"), ident="msg_1")
        post_message(create_message("c.d", of="second"), ident="msg_1")
    assert [event.data["of"] for event in received] == ["first"]


def test_a_failing_receiver_does_not_stop_the_others() -> None:
    """The status is 503 until all are done, and the others are called once."""
    broken = True

    def fail(_event: Event) -> None:
        if broken:
            raise LookupError("ann@example.com")

    with register_receiver("*") as first, register_receiver("*", then=fail) as second, register_receiver("*") as third:
        assert post_message(create_message(), ident="m") == 503
        assert get_state() == ("failed", 1, get_state()[2])
        assert "LookupError" in get_state()[2]
        assert "ann@" not in get_state()[2]
        assert post_message(create_message(), ident="m") == 503
        broken = False
        assert post_message(create_message(), ident="m") == 204
        assert post_message(create_message(), ident="m") == 204
    assert (len(first), len(second), len(third)) == (1, 3, 1)
    assert get_state() == ("handled", 3, "")


def test_failures_are_stored_and_logged_without_their_text(caplog: pytest.LogCaptureFixture) -> None:
    """The log contains file and line; the stored error is truncated."""

    def fail(_event: Event) -> None:
        raise LookupError("ann@example.com")

    with register_receiver("*", then=fail), register_receiver("*", then=fail):
        names = [each.name for each in receivers()]
        assert post_message(create_message("a.b"), ident="m") == 503
    delivery = WebhookDelivery.objects.get()
    assert delivery.error == f"{names[0]}: LookupError, {names[1]}: LookupError"
    at = f"{__file__}:{fail.__code__.co_firstlineno + 1}"
    assert get_log_events(caplog, "webhook_failed") == [
        (
            "ERROR",
            f"Webhook {delivery.pk}: {name} failed (LookupError, {at}).",
            {"delivery": delivery.pk, "type": "a.b", "receiver": name, "error": "LookupError", "at": at},
        )
        for name in names
    ]
    with ExitStack() as many:
        for _ in range(10):
            many.enter_context(register_receiver("*", then=fail))
        assert post_message(create_message(), ident="n") == 503
    assert len(WebhookDelivery.objects.get(message_id="n").error) == 255


def test_run_receivers_updates_the_instance() -> None:
    with register_receiver("*", then=crash), pytest.raises(Crash):
        post_message(create_message(), ident="m")
    WebhookDelivery.objects.update(claimed_until=None)
    delivery = WebhookDelivery.objects.get()
    assert dispatch.run_receivers(delivery) is True
    assert (delivery.state, delivery.error, delivery.tries, delivery.claimed_until) == ("handled", "", 2, None)


def test_new_receivers_are_not_called_for_handled_messages() -> None:
    post_message(create_message(), ident="m")
    delivery = WebhookDelivery.objects.get()
    with register_receiver("*") as late:
        assert dispatch.run_receivers(delivery) is True
    assert (late, delivery.tries) == ([], 1)


def test_messages_are_read_from_the_primary_database(settings: Settings) -> None:
    with register_receiver("*", then=crash), pytest.raises(Crash):
        post_message(create_message(), ident="m")
    WebhookDelivery.objects.update(claimed_until=None)
    delivery = WebhookDelivery.objects.get()
    settings.DATABASE_ROUTERS = ["tests.support.database_routers.ReplicaRouter"]
    with register_receiver("*") as received:
        assert dispatch.run_receivers(delivery) is True
    assert len(received) == 1


def test_the_names_of_the_built_in_receivers_do_not_change() -> None:
    """Otherwise a new release would call them again for messages that are half done."""
    post_message(create_message("subscription.updated"))
    assert WebhookDelivery.objects.get().done == ["plans", "webhook_received"]


def test_signal_receivers_run_outside_transactions() -> None:
    inside: list[bool] = []

    def look(**_: Any) -> None:
        inside.append(connection.in_atomic_block)

    webhook_received.connect(look)
    try:
        post_message(create_message())
    finally:
        webhook_received.disconnect(look)
    assert inside == [False]


def test_the_changes_of_a_failed_receiver_are_rolled_back() -> None:
    def half(_event: Event) -> None:
        Group.objects.create(name="half")
        raise LookupError

    with (
        register_receiver("*", then=lambda _event: Group.objects.create(name="whole")),
        register_receiver("*", then=half),
    ):
        post_message(create_message())
    assert [group.name for group in Group.objects.all()] == ["whole"]


def test_a_receiver_that_breaks_its_transaction_does_not_affect_others() -> None:
    def clumsy(_event: Event) -> None:
        Group.objects.create(name="once")
        with suppress(DatabaseError):
            Group.objects.create(name="once")

    with register_receiver("*", then=clumsy), register_receiver("*") as other:
        assert post_message(create_message()) == 503
    assert len(other) == 1


def test_a_crash_in_a_receiver_rolls_back_its_changes() -> None:
    """The next delivery calls it again once the claim has expired."""

    def do(_event: Event) -> None:
        Group.objects.create(name=f"group {Group.objects.count()}")
        if len(calls) == 1:
            raise Crash

    with register_receiver("*") as before, register_receiver("*", then=do) as calls:
        with pytest.raises(Crash):
            post_message(create_message(), ident="m")
        assert Group.objects.count() == 0
        assert post_message(create_message(), ident="m") == 503
        assert len(calls) == 1
        with time_machine.travel(timezone.now() + dispatch.CLAIM, tick=True):
            assert post_message(create_message(), ident="m") == 204
            assert post_message(create_message(), ident="m") == 204
    assert (len(before), len(calls), Group.objects.count()) == (1, 2, 1)
    assert get_state() == ("handled", 2, "")


def test_a_crash_after_the_last_receiver_repeats_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_finish", lambda *_: crash(None))  # type: ignore[arg-type]
    with register_receiver("*") as received:
        with pytest.raises(Crash):
            post_message(create_message(), ident="m")
        monkeypatch.undo()
        with time_machine.travel(timezone.now() + dispatch.CLAIM, tick=True):
            assert post_message(create_message(), ident="m") == 204
    assert len(received) == 1
    assert get_state()[0] == "handled"


def test_a_duplicate_during_handling_is_rejected_with_503() -> None:
    with register_receiver(
        "*", then=lambda event: statuses.append(post_message(create_message(), ident=event.id)), atomic=False
    ) as received:
        statuses: list[int] = []
        assert post_message(create_message(), ident="m") == 204
    assert (len(received), statuses) == (1, [503])


def test_two_processes_with_the_same_claim_call_a_receiver_once() -> None:
    """A receiver took longer than the claim lasts."""
    with register_receiver("*") as received:
        post_message(create_message("never.received", of="x"), ident="m")
        delivery = WebhookDelivery.objects.get()
        stale = WebhookDelivery.objects.get()
        stale.done, stale.payload = [], "{}"
        assert list(dispatch._call_receivers(stale)) == []
    assert len(received) == 1
    assert sorted(delivery.done) == sorted(stale.done)


def test_a_process_that_lost_its_claim_stores_no_result(caplog: pytest.LogCaptureFixture) -> None:
    def take_long(_event: Event) -> None:
        WebhookDelivery.objects.update(tries=7, claimed_until=timezone.now() + dispatch.CLAIM)

    with register_receiver("*", then=take_long, atomic=False):
        assert post_message(create_message(), ident="m") == 204
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.tries, delivery.claimed_until is None) == ("waiting", 7, False)


def test_a_delivery_deleted_during_handling_is_sent_again() -> None:
    with register_receiver("*", then=lambda _event: WebhookDelivery.objects.all().delete(), atomic=False):
        assert post_message(create_message(), ident="m") == 503
    assert post_message(create_message(), ident="m") == 204


def test_each_receiver_renews_the_claim() -> None:
    lasts: list[timedelta] = []

    def look(_event: Event) -> None:
        until = WebhookDelivery.objects.get().claimed_until
        assert until is not None
        lasts.append(until - timezone.now())

    def take_long(_event: Event) -> None:
        WebhookDelivery.objects.update(claimed_until=timezone.now())

    with register_receiver("*", then=take_long), register_receiver("*", then=look):
        assert post_message(create_message()) == 204
    assert lasts[0] > timedelta(minutes=1)


def test_a_database_error_has_the_message_sent_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log doesn't contain the exception's text."""

    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError("ann@example.com")

    monkeypatch.setattr("alguna_portal.webhooks.inbox.hash_message_id", fail)
    assert post_message(create_message(email="ann@example.com")) == 503
    (record,) = [each for each in caplog.records if getattr(each, "event", "") == "webhook_not_kept"]
    assert (record.__dict__["error"], "ann@" in record.getMessage()) == ("DatabaseError", False)


def test_a_locked_row_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with register_receiver("*", then=crash), pytest.raises(Crash):
        post_message(create_message(), ident="m")
    delivery = WebhookDelivery.objects.get()
    WebhookDelivery.objects.update(claimed_until=None)
    rows = dispatch.get_queryset

    class Locked:
        """Rows that another process has locked."""

        def filter(self, *_: Any) -> "Locked":
            return self

        def exclude(self, **_: Any) -> "Locked":
            return self

        def select_for_update(self, *, nowait: bool) -> Any:
            assert nowait
            assert connection.in_atomic_block
            raise OperationalError("could not obtain lock")

    monkeypatch.setattr(type(connection.features), "has_select_for_update_nowait", True)
    monkeypatch.setattr(dispatch, "get_queryset", lambda _delivery: Locked())
    assert dispatch.run_receivers(delivery) is False
    monkeypatch.setattr(dispatch, "get_queryset", rows)
    assert dispatch.run_receivers(delivery) is True
    WebhookDelivery.objects.update(state="waiting", payload=create_message().decode(), done=[])
    WebhookDelivery.objects.update(claimed_until=timezone.now() + dispatch.CLAIM)
    assert dispatch.run_receivers(delivery) is False


def test_message_ids_are_case_sensitive(settings: Settings) -> None:
    """MariaDB compares without case."""
    with register_receiver("*") as received:
        for ident in ("MSG_a", "msg_A", "msg_a"):
            assert post_message(create_message(), ident=ident) == 204
    assert len(received) == 3


def test_receivers_do_not_share_the_event() -> None:
    with register_receiver("*", then=lambda event: event.data.clear()), register_receiver("*") as second:  # type: ignore[attr-defined]
        post_message(create_message("a.b", id="inv_1"))
    assert second[0].data == {"id": "inv_1"}
    assert len({second[0], second[0]}) == 1


def test_non_atomic_receivers_can_be_called_again_after_a_crash() -> None:
    with register_receiver(
        "*", then=lambda _event: Group.objects.create(name=f"{Group.objects.count()}"), atomic=False
    ):
        post_message(create_message())
    assert Group.objects.count() == 1
    with register_receiver("*", then=crash, atomic=False) as received:
        with pytest.raises(Crash):
            post_message(create_message(), ident="m")
        with time_machine.travel(timezone.now() + dispatch.CLAIM, tick=True), pytest.raises(Crash):
            post_message(create_message(), ident="m")
    assert len(received) == 2


def test_a_failing_signal_receiver_has_the_message_sent_again() -> None:
    received: list[str] = []
    broken = True

    def fail(event: Any, **_: Any) -> None:
        if broken:
            raise LookupError

    def hear(event: Any, **_: Any) -> None:
        received.append(event.id)

    webhook_received.connect(fail)
    webhook_received.connect(hear)
    try:
        assert post_message(create_message(), ident="m") == 503
        broken = False
        assert post_message(create_message(), ident="m") == 204
    finally:
        webhook_received.disconnect(fail)
        webhook_received.disconnect(hear)
    assert received == ["m", "m"]


def test_the_payload_is_deleted_once_all_receivers_are_done(settings: Settings) -> None:
    with register_receiver("*", then=fail):
        post_message(create_message(email="ann@example.com"), ident="m")
    assert "ann@example.com" in WebhookDelivery.objects.get().payload
    post_message(create_message(email="ann@example.com"), ident="m")
    assert WebhookDelivery.objects.get().payload == ""


def test_receivers_get_the_types_that_they_are_registered_for() -> None:
    with (
        register_receiver("invoice.paid") as paid,
        register_receiver("invoice.*", "payment.created") as billing,
        register_receiver("*") as all_,
    ):
        for kind in ("invoice.paid", "invoice.issued", "payment.created", "payment.updated", "Invoice.paid"):
            post_message(create_message(kind))
    assert [event.type for event in paid] == ["invoice.paid"]
    assert [event.type for event in billing] == ["invoice.paid", "invoice.issued", "payment.created"]
    assert len(all_) == 5


def test_a_receiver_is_registered_by_its_name() -> None:
    """If the module is imported twice, there is still one receiver."""

    def receiver(_event: Event) -> None:
        """Do nothing."""

    with register_receiver("x"):
        before = len(receivers())
        assert on("a.b")(receiver) is receiver
        on("a.c")(receiver)
        assert len(receivers()) == before + 1
        assert receivers()[-1].name == f"{__name__}.{receiver.__qualname__}"
        assert receivers()[-1].atomic is True
    error = r'^@on takes the types of events: @on\("invoice\.paid"\)\.$'
    with pytest.raises(TypeError, match=error):
        on()
    with pytest.raises(TypeError, match=error):
        on(receiver)  # type: ignore[arg-type]


def test_async_receivers_are_awaited() -> None:
    received = []

    async def receiver(event: Event) -> None:
        received.append(event.type)

    with register_receiver("nothing"):
        on("a.b")(receiver)
        assert post_message(create_message("a.b")) == 204
    assert received == ["a.b"]


def test_event_get_checks_types() -> None:
    """Errors contain the key, but not the value."""
    data: dict[str, Any] = {
        "zoneless": "2026-11-22T04:00:00",
        "odd": ["ann@example.com"],
        "amount": 7,
        "paid": True,
        "status": "open",
        "createdAt": "2026-11-22t04:00:00z",
        "accountId": "cust_1",
    }
    event = Event(id="m", type="invoice.paid", timestamp=timezone.now(), data=data)
    assert (event.get("amount", int), event.get("paid", bool), event.get("status", str)) == (7, True, "open")
    assert event.get("createdAt", type(timezone.now())).isoformat() == "2026-11-22T04:00:00+00:00"
    assert event.customer_id == "cust_1"
    assert Event(id="m", type="x", timestamp=timezone.now(), data={"accountId": 7}).customer_id == ""
    assert event.get("amount", float) == 7.0
    for key, kind in (
        ("zoneless", type(timezone.now())),
        ("amount", str),
        ("paid", int),
        ("none", str),
        ("odd", str),
        ("odd", type(timezone.now())),
    ):
        with pytest.raises(PayloadError, match=f"invoice.paid: “{key}”") as caught:
            event.get(key, kind)
        assert "ann@" not in str(caught.value)
    with pytest.raises(PayloadError, match="no time"):
        event.get("status", type(timezone.now()))
    assert "ann@" not in repr(event)


def test_timestamps_are_aware_without_use_tz(settings: Settings) -> None:
    settings.USE_TZ = False
    settings.TIME_ZONE = "Asia/Tokyo"
    with register_receiver("*") as received:
        assert post_message(create_message()) == 204
    assert received[0].timestamp.isoformat() == "2026-11-22T13:00:00+09:00"


class TestUseTasks:
    """With `USE_TASKS`, the message is stored and the response is sent before it's handled."""

    @pytest.fixture(autouse=True)
    def _tasks(self, settings: Settings) -> None:
        settings.ALGUNA_PORTAL_USE_TASKS = True

    def use_backend(self, settings: Settings, name: str) -> Any:
        """Use one of the framework's backends."""
        framework = "django.tasks" if django.VERSION >= (6,) else "django_tasks"
        settings.TASKS = {"default": {"BACKEND": f"{framework}.backends.{name.lower()}.{name}Backend"}}
        return import_module(framework).default_task_backend

    def test_the_message_is_enqueued(self, settings: Settings) -> None:
        """The queue contains the key, but not the payload."""
        backend = self.use_backend(settings, "Dummy")
        backend.clear()
        with register_receiver("*") as received:
            assert post_message(create_message(email="ann@example.com")) == 204
        (result,) = backend.results
        assert (list(result.args), received) == ([WebhookDelivery.objects.get().pk], [])

    def test_a_failed_task_is_retried_with_growing_delays(self, settings: Settings) -> None:
        backend = self.use_backend(settings, "Dummy")
        post_message(create_message())
        delivery = WebhookDelivery.objects.get()
        backend.clear()

        with register_receiver("*", then=fail):
            handle_delivery.func(delivery.pk)
            (retry,) = backend.results
            assert (list(retry.args), retry.kwargs) == ([delivery.pk], {"tries": 2})
            wait = retry.task.run_after - timezone.now()
            assert timedelta(seconds=30) < wait <= PAUSES[0]
            backend.clear()
            handle_delivery.func(delivery.pk, tries=len(PAUSES) + 1)
            assert not backend.results
        handle_delivery.func(delivery.pk)
        assert get_state()[0] == "handled"
        WebhookDelivery.objects.all().delete()
        handle_delivery.func(delivery.pk)
        assert not backend.results

    def test_a_task_is_retried_after_a_database_error(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        backend = self.use_backend(settings, "Dummy")
        post_message(create_message())
        backend.clear()

        def locked(*_: Any) -> None:
            raise DatabaseError("ann@example.com")

        monkeypatch.setattr("alguna_portal.webhooks.tasks.run_receivers", locked)
        handle_delivery.func(WebhookDelivery.objects.get().pk)
        assert len(backend.results) == 1
        (record,) = [each for each in caplog.records if getattr(each, "event", "") == "webhook_failed"]
        assert "ann@" not in record.getMessage()

    def test_a_backend_without_deferral_does_not_retry(self, settings: Settings) -> None:
        backend = self.use_backend(settings, "Dummy")
        post_message(create_message())
        delivery = WebhookDelivery.objects.get()
        backend.clear()
        self.use_backend(settings, "Immediate")

        with register_receiver("*", then=fail):
            handle_delivery.func(delivery.pk)
        assert get_state()[0] == "failed"

    def test_an_immediate_backend_during_a_claim_returns_503(self, settings: Settings) -> None:
        """The process with the claim may have crashed."""
        self.use_backend(settings, "Immediate")
        with register_receiver("*", then=crash), register_receiver("*") as other:
            assert post_message(create_message(), ident="m") == 503
            assert post_message(create_message(), ident="m") == 503
        with register_receiver("*") as received, time_machine.travel(timezone.now() + dispatch.CLAIM, tick=True):
            assert post_message(create_message(), ident="m") == 204
        assert (len(other), len(received)) == (0, 1)

    def test_an_immediate_backend_returns_the_result(self, settings: Settings) -> None:
        self.use_backend(settings, "Immediate")

        with register_receiver("*", then=fail):
            assert post_message(create_message(), ident="m") == 503
        assert post_message(create_message(), ident="m") == 204

    def test_a_failing_queue_has_the_message_sent_again(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        backend = self.use_backend(settings, "Dummy")
        backend.clear()

        def refuse(*_: Any, **__: Any) -> None:
            raise ConnectionError("redis://:secret@queue")

        monkeypatch.setattr(type(handle_delivery), "enqueue", refuse)
        assert post_message(create_message(), ident="m") == 503
        monkeypatch.undo()
        assert post_message(create_message(), ident="m") == 204
        assert len(backend.results) == 1
        (record,) = [each for each in caplog.records if getattr(each, "event", "") == "webhook_not_queued"]
        assert (record.levelno, "secret" in record.getMessage()) == (logging.ERROR, False)


def test_receivers_marked_as_coroutine_functions_are_awaited() -> None:
    received: list[Event] = []

    def receiver(event: Event) -> Any:
        async def later() -> None:
            received.append(event)

        return later()

    on("*")(markcoroutinefunction(receiver))
    try:
        post_message(create_message())
    finally:
        dispatch._registered.popitem()
    assert len(received) == 1
