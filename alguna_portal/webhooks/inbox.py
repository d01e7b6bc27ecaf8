"""Webhook inbox: stores each message as a row, and handles it immediately or by a background task."""

import json
import logging

from django.conf import settings
from django.db import Error
from django.utils import timezone

from alguna_portal.conf import conf
from alguna_portal.log_events import log_event
from alguna_portal.models import WebhookDelivery
from alguna_portal.models.webhook_delivery import hash_message_id

from .dispatch import SETTLED, get_database, run_receivers
from .signatures import Event

logger = logging.getLogger(__name__)


def receive_message(event: Event) -> bool:
    """Store and process a message; return whether it's settled. Otherwise it must be delivered again."""
    try:
        delivery, _ = WebhookDelivery.objects.using(get_database()).get_or_create(
            message_key=hash_message_id(event.id),
            defaults={
                "message_id": event.id,
                "type": event.type,
                "sent_at": event.timestamp if settings.USE_TZ else timezone.make_naive(event.timestamp),
                "payload": json.dumps(event.data),
            },
        )
        return process_delivery(delivery)
    # A lock, a deleted row or a lost connection. Django's own report would contain the payload.
    except (Error, WebhookDelivery.DoesNotExist) as exc:
        message = "A webhook could not be kept, or handled (%(error)s)."
        log_event(logger.error, "webhook_not_kept", message, type=event.type, exc=exc)
        return False


def process_delivery(delivery: WebhookDelivery) -> bool:
    """Run the receivers of a stored message, or enqueue that with `USE_TASKS`; return whether it's settled."""
    if delivery.state == WebhookDelivery.State.HANDLED:
        return True
    if not conf.USE_TASKS:
        return run_receivers(delivery)
    # Imported here because Django 5.2 has no tasks framework.
    from .tasks import handle_delivery

    # Not `transactions.enqueue()`: the response to Alguna depends on what the queue returns.
    try:
        result = handle_delivery.enqueue(delivery.pk)
    except Exception as exc:  # noqa: BLE001  (queue backends raise exceptions of any class)
        message = "Webhook %(delivery)s could not be enqueued (%(error)s)."
        log_event(logger.error, "webhook_not_queued", message, delivery=delivery.pk, exc=exc)
        return False
    if not result.is_finished:
        return True
    # An immediate backend has already run the task and won't retry it.
    delivery.refresh_from_db(using=get_database())
    return delivery.state in SETTLED
