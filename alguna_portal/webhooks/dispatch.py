"""Dispatch of webhook events: the `@on` decorator, and calling each receiver exactly once per message.

The process that claims a message's row calls the receivers. The claim expires, in case that process crashes. Each
receiver runs in a transaction that also records in the row that the receiver is done. Therefore, after a crash or the
failure of a receiver, the next delivery calls only the receivers that aren't done.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from time import monotonic
from traceback import walk_tb
from typing import Any, TypeVar

from asgiref.sync import async_to_sync, iscoroutinefunction
from django.conf import settings
from django.db import OperationalError, connections, router, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from alguna_portal.conf import conf
from alguna_portal.customers.plan_sync import Synced, match_customer, sync_plan
from alguna_portal.log_events import log_event
from alguna_portal.models import WebhookDelivery
from alguna_portal.signals import webhook_received

from .signatures import Event

logger = logging.getLogger(__name__)

State = WebhookDelivery.State

SETTLED = (State.HANDLED, State.UNMAPPED)
# How long a receiver may run before another process takes over. Longer work belongs in a background task.
CLAIM = timedelta(minutes=2)

Function = TypeVar("Function", bound=Callable[[Event], object])


class PlanNotMapped(Exception):
    """The settings don't map the customer's plan in Alguna. All other work is done."""


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """A registered receiver. A delivery records by `name` that the receiver is done."""

    name: str
    types: tuple[str, ...]
    call: Callable[[Event], object]
    atomic: bool


_registered: dict[str, Receiver] = {}


def on(*types: str, atomic: bool = True) -> Callable[[Function], Function]:
    """Register a function as a receiver of events of these types: `@on("invoice.paid", "payment.*")`.

    It's called in a transaction that also records the call, so its changes to the database are made exactly once. If
    it raises an exception, its changes are rolled back, the other receivers still run, and Alguna sends the message
    again for the receivers that failed. With `atomic=False` there is no transaction: the receiver may run for longer,
    and after a crash it may be called again.

    Import the module in your AppConfig's `ready`. A function with the same module and name replaces the earlier one.
    """
    if not types or not all(isinstance(each, str) for each in types):
        raise TypeError('@on takes the types of events: @on("invoice.paid").')

    def register(function: Function) -> Function:
        name = f"{function.__module__}.{function.__qualname__}"
        call = async_to_sync(function) if iscoroutinefunction(function) else function
        _registered[name] = Receiver(name=name, types=types, call=call, atomic=atomic)
        return function

    return register


def run_receivers(delivery: WebhookDelivery) -> bool:
    """Call the receivers that aren't done with a message; return whether the message is settled.

    If a receiver fails, or if another process has claimed the message, it isn't settled and must be delivered again.
    """
    claimed = _claim(delivery)
    delivery.refresh_from_db(using=get_database())
    if not claimed:
        return delivery.state in SETTLED
    failures = dict(_call_receivers(delivery))
    _finish(delivery, failures)
    return delivery.state != State.FAILED


def get_database() -> str:
    """Return the alias of the database that deliveries are written to; a replica may not have them yet."""
    return router.db_for_write(WebhookDelivery)


def get_queryset(delivery: WebhookDelivery) -> QuerySet[WebhookDelivery]:
    """Return a queryset with only this delivery."""
    return WebhookDelivery.objects.using(get_database()).filter(pk=delivery.pk)


def _claim(delivery: WebhookDelivery) -> bool:
    """Claim a message for a while; return False if it's handled or another process has claimed it."""
    using = get_database()
    can = connections[using].features
    now = timezone.now()
    is_free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    unclaimed = get_queryset(delivery).filter(is_free).exclude(state=State.HANDLED)
    try:
        with transaction.atomic(using=using) if can.has_select_for_update_nowait else nullcontext():
            # A receiver that runs for longer than its claim holds the row lock: don't wait for it.
            if can.has_select_for_update_nowait and not unclaimed.select_for_update(nowait=True).exists():
                return False
            return unclaimed.update(claimed_until=now + CLAIM, tries=F("tries") + 1) == 1
    except OperationalError:
        return False


def _call_receivers(delivery: WebhookDelivery) -> Iterator[tuple[str, Exception]]:
    """Call the receivers of a message; yield those that fail, with their exceptions."""
    for receiver in _get_receivers(delivery.type):
        if receiver.name in delivery.done:
            continue
        try:
            _call(receiver, delivery)
        except Exception as exc:  # noqa: BLE001  (a receiver that fails doesn't stop the others)
            yield receiver.name, exc


def _get_receivers(event_type: str) -> list[Receiver]:
    """Return the receivers of an event type. The plan is synchronized first, so that the others see the current one."""
    plans = Receiver(name="plans", types=("subscription.*",), call=_sync_plan, atomic=False)
    signal = Receiver(name="webhook_received", types=("*",), call=_send_signal, atomic=False)
    receivers = [plans, *_registered.values(), signal]
    return [each for each in receivers if any(fnmatchcase(event_type, pattern) for pattern in each.types)]


def _sync_plan(event: Event) -> None:
    """Synchronize the plan of an event's customer with Alguna, if `PLAN_IDS` is set."""
    if not conf.PLAN_IDS or not event.customer_id:
        return
    until = monotonic() + conf.TIME_BUDGET
    customer = match_customer(event.customer_id, within=conf.TIME_BUDGET)
    # Alguna can have customers that aren't in this database.
    if customer and sync_plan(customer, within=until - monotonic()) is Synced.UNMAPPED:
        raise PlanNotMapped


def _send_signal(event: Event) -> None:
    """Send the signal to all its receivers, then raise the first exception of any of them."""
    for _receiver, response in webhook_received.send_robust(WebhookDelivery, event=event):
        if isinstance(response, Exception):
            raise response


def _call(receiver: Receiver, delivery: WebhookDelivery) -> None:
    """Call a receiver, and record that it's done."""
    event = _create_event(delivery)
    if not receiver.atomic:
        receiver.call(event)
    with transaction.atomic(using=get_database()):
        # Write first: SQLite can't upgrade a read lock while another process writes. This renews the claim and locks
        # the row: if two processes believe that they hold the claim, the second finds the receiver done.
        if not get_queryset(delivery).update(claimed_until=timezone.now() + CLAIM):
            raise WebhookDelivery.DoesNotExist
        done = get_queryset(delivery).select_for_update().values_list("done", flat=True).get()
        if receiver.name not in done:
            if receiver.atomic:
                receiver.call(event)
            done = [*done, receiver.name]
            get_queryset(delivery).update(done=done)
    delivery.done = done


def _create_event(delivery: WebhookDelivery) -> Event:
    """Create the event for one receiver, so that receivers can't change each other's data."""
    sent_at = delivery.sent_at if settings.USE_TZ else timezone.make_aware(delivery.sent_at)
    return Event(id=delivery.message_id, type=delivery.type, timestamp=sent_at, data=json.loads(delivery.payload))


def _finish(delivery: WebhookDelivery, failures: dict[str, Exception]) -> None:
    """Release the claim and store the result. If no receiver failed, delete the payload."""
    errors = {name: exc for name, exc in failures.items() if not isinstance(exc, PlanNotMapped)}
    delivery.state = State.FAILED if errors else State.UNMAPPED if failures else State.HANDLED
    delivery.error = ", ".join(f"{name}: {type(exc).__name__}" for name, exc in errors.items())[:255]
    changes: dict[str, Any] = {"state": delivery.state, "error": delivery.error, "claimed_until": None}
    if not failures:
        changes |= {"payload": "", "handled_at": timezone.now()}
    # If another process has taken over, it stores the result.
    if get_queryset(delivery).filter(tries=delivery.tries).update(**changes):
        delivery.claimed_until = None
    for name, exc in errors.items():
        message = "Webhook %(delivery)s: %(receiver)s failed (%(error)s, %(at)s)."
        at, kind = _get_location(exc), delivery.type
        log_event(
            logger.error, "webhook_failed", message, delivery=delivery.pk, type=kind, receiver=name, at=at, exc=exc
        )


def _get_location(exc: Exception) -> str:
    """Return the file and line where an exception was raised. Its text and traceback may quote the payload."""
    *_, (frame, line) = walk_tb(exc.__traceback__)
    return f"{frame.f_code.co_filename}:{line}"
