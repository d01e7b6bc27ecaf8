"""Each message handled once by everybody who wants to hear of it, whenever and however often it is delivered.

Whoever claims a message's row handles it, and the claim ends by itself, in case they crash. Each receiver is called in
a transaction that also notes, in the row, that it is done: so after a crash, or when another one fails, the next
delivery calls those alone that are not.
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
from django.db.models import F, QuerySet
from django.utils import timezone

from alguna_portal.conf import conf
from alguna_portal.customers.plan_sync import Synced, match_customer, sync_plan
from alguna_portal.log_events import log_event
from alguna_portal.models import WebhookDelivery
from alguna_portal.models.webhook_delivery import get_unclaimed_filter
from alguna_portal.signals import webhook_received

from .signatures import Event

# --- from alguna_portal.webhooks.registry

Receiver = TypeVar("Receiver", bound=Callable[[Event], object])


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A receiver, and what it wants to hear of. By its name a delivery remembers that it is done."""

    name: str
    types: tuple[str, ...]
    call: Callable[[Event], object]
    atomic: bool

    def wants(self, kind: str) -> bool:
        """Say whether it wants to hear of events of a type."""
        return any(fnmatchcase(kind, pattern) for pattern in self.types)


_registered: dict[str, Registered] = {}


def on(*types: str, atomic: bool = True) -> Callable[[Receiver], Receiver]:
    """Have a function called with each event of these types: `@on("invoice.paid", "payment.*")`.

    It is called in a transaction, which also remembers that it was: so what it does in the database is done once,
    whatever crashes. If it raises, that is undone, the others are called all the same, and Alguna sends the message
    again, for those that failed. With `atomic=False` there is no transaction: it may be called again after it was
    done, and may take its time.

    Import the module from your AppConfig's `ready`. A function of the same module and name takes the former's place.
    """
    if not types or not all(isinstance(each, str) for each in types):
        raise TypeError('@on takes the types of events: @on("invoice.paid").')

    def register(receiver: Receiver) -> Receiver:
        name = f"{receiver.__module__}.{receiver.__qualname__}"
        call = async_to_sync(receiver) if iscoroutinefunction(receiver) else receiver
        _registered[name] = Registered(name=name, types=types, call=call, atomic=atomic)
        return receiver

    return register


def registered() -> list[Registered]:
    """List all receivers, in the order of their registration."""
    return list(_registered.values())


logger = logging.getLogger(__name__)

State = WebhookDelivery.State

SETTLED = (State.HANDLED, State.UNMAPPED)
# How long a receiver may take before somebody else takes over. What takes longer belongs to a worker.
CLAIM = timedelta(minutes=2)


class PlanNotMapped(Exception):
    """The customer's plan in Alguna is not among the settings yet; the rest is done."""


def run_receivers(delivery: WebhookDelivery) -> bool:
    """Call those who have not handled a message yet; say whether nobody is left.

    False where one failed, or where somebody else is at work on it: then it is to be delivered again.
    """
    claimed = _claim(delivery)
    delivery.refresh_from_db(using=get_database())
    if not claimed:
        return delivery.state in SETTLED
    failures = dict(_failures(delivery))
    _finish(delivery, failures)
    return delivery.state != State.FAILED


def get_database() -> str:
    """Name the database in which messages are written, and looked for: a replica may not have them yet."""
    return router.db_for_write(WebhookDelivery)


def rows(delivery: WebhookDelivery) -> QuerySet[WebhookDelivery]:
    """Find the row of a message."""
    return WebhookDelivery.objects.using(get_database()).filter(pk=delivery.pk)


def _claim(delivery: WebhookDelivery) -> bool:
    """Take a message for a while; False where it is done, or another's."""
    using = get_database()
    can = connections[using].features
    now = timezone.now()
    free = rows(delivery).filter(get_unclaimed_filter(now)).exclude(state=State.HANDLED)
    try:
        with transaction.atomic(using=using) if can.has_select_for_update_nowait else nullcontext():
            # A receiver that has outlived its claim holds the row: nobody waits for it.
            if can.has_select_for_update_nowait and not free.select_for_update(nowait=True).exists():
                return False
            return free.update(claimed_until=now + CLAIM, tries=F("tries") + 1) == 1
    except OperationalError:
        return False


def _failures(delivery: WebhookDelivery) -> Iterator[tuple[str, Exception]]:
    for receiver in _listeners(delivery.type):
        if receiver.name in delivery.done:
            continue
        try:
            _call(receiver, delivery)
        except Exception as exc:  # noqa: BLE001  (one that fails does not stop the others)
            yield receiver.name, exc


def _listeners(kind: str) -> list[Registered]:
    """List who is to be called: first whoever keeps plans current, so that the others see them so."""
    plans = Registered(name="plans", types=("subscription.*",), call=_sync_plan, atomic=False)
    signal = Registered(name="webhook_received", types=("*",), call=_send_signal, atomic=False)
    return [each for each in (plans, *registered(), signal) if each.wants(kind)]


def _sync_plan(said: Event) -> None:
    """Bring the plan of the customer that an event is about in line with Alguna, if the settings map any."""
    if not conf.PLAN_IDS or not said.customer_id:
        return
    until = monotonic() + conf.TIME_BUDGET
    customer = match_customer(said.customer_id, within=conf.TIME_BUDGET)
    # Alguna may well have customers who are none here.
    if customer and sync_plan(customer, within=until - monotonic()) is Synced.UNMAPPED:
        raise PlanNotMapped


def _send_signal(said: Event) -> None:
    """Send the signal to all; fail as the first of its receivers that failed."""
    for _receiver, answer in webhook_received.send_robust(WebhookDelivery, event=said):
        if isinstance(answer, Exception):
            raise answer


def _call(receiver: Registered, delivery: WebhookDelivery) -> None:
    """Call a receiver, and note that it is done."""
    said = _said(delivery)
    if not receiver.atomic:
        receiver.call(said)
    with transaction.atomic(using=get_database()):
        # Written first: SQLite has no way from reading to writing where another writes, too. It renews the claim, and
        # locks the row: of two who both believe that it is theirs, the second finds the receiver done.
        if not rows(delivery).update(claimed_until=timezone.now() + CLAIM):
            raise WebhookDelivery.DoesNotExist
        done = rows(delivery).select_for_update().values_list("done", flat=True).get()
        if receiver.name not in done:
            if receiver.atomic:
                receiver.call(said)
            done = [*done, receiver.name]
            rows(delivery).update(done=done)
    delivery.done = done


def _said(delivery: WebhookDelivery) -> Event:
    """Read a message, for one receiver: what they do to it is not the next one's."""
    sent_at = delivery.sent_at if settings.USE_TZ else timezone.make_aware(delivery.sent_at)
    return Event(id=delivery.message_id, type=delivery.type, timestamp=sent_at, data=json.loads(delivery.payload))


def _finish(delivery: WebhookDelivery, failures: dict[str, Exception]) -> None:
    """Let go of a message, and say what came of it; what it said is forgotten once nobody needs it."""
    broken = {name: exc for name, exc in failures.items() if not isinstance(exc, PlanNotMapped)}
    delivery.state = State.FAILED if broken else State.UNMAPPED if failures else State.HANDLED
    delivery.error = ", ".join(f"{name}: {type(exc).__name__}" for name, exc in broken.items())[:255]
    news: dict[str, Any] = {"state": delivery.state, "error": delivery.error, "claimed_until": None}
    if not failures:
        news |= {"payload": "", "handled_at": timezone.now()}
    # Unless somebody has taken over meanwhile: then it is theirs to say.
    if rows(delivery).filter(tries=delivery.tries).update(**news):
        delivery.claimed_until = None
    for name, exc in broken.items():
        message = "Webhook %(delivery)s: %(receiver)s failed (%(error)s, %(at)s)."
        at, kind = _place(exc), delivery.type
        log_event(
            logger.error, "webhook_failed", message, delivery=delivery.pk, type=kind, receiver=name, at=at, exc=exc
        )


def _place(exc: Exception) -> str:
    """Say where an exception was raised. Not its text, nor a traceback, which has it: that may quote the message."""
    *_, (frame, line) = walk_tb(exc.__traceback__)
    return f"{frame.f_code.co_filename}:{line}"
