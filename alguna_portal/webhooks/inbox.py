"""Messages of Alguna's taken in: each becomes a row before anything else, and is handled at once or by a worker."""

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
from .signatures import Message

logger = logging.getLogger(__name__)


def receive_message(message: Message) -> bool:
    """Keep a message and have it handled; say whether that is settled, or whether it is to be delivered again."""
    try:
        return process_delivery(_keep(message))
    # A lock, a row that is gone, a database that is away. Its own report would show what the message says.
    except (Error, WebhookDelivery.DoesNotExist) as exc:
        text = "A webhook could not be kept, or handled (%(error)s)."
        log_event(logger.error, "webhook_not_kept", text, type=message.type, exc=exc)
        return False


def _keep(message: Message) -> WebhookDelivery:
    """Return the row of a message, which may have been there before."""
    delivery, _created = WebhookDelivery.objects.using(get_database()).get_or_create(
        message_key=hash_message_id(message.id),
        defaults={
            "message_id": message.id,
            "type": message.type,
            "sent_at": message.timestamp if settings.USE_TZ else timezone.make_naive(message.timestamp),
            "payload": json.dumps(message.data),
        },
    )
    return delivery


def process_delivery(delivery: WebhookDelivery) -> bool:
    """Have a message handled that was kept: by a worker with `USE_TASKS`, else at once; say whether that is settled."""
    if delivery.state == WebhookDelivery.State.HANDLED:
        return True
    if not conf.USE_TASKS:
        return run_receivers(delivery)
    # Not above: Django 5.2 has no tasks framework of its own.
    from .tasks import handle_delivery

    try:
        result = handle_delivery.enqueue(delivery.pk)
    except Exception as exc:  # noqa: BLE001  (queues raise what they like)
        message = "Webhook %(delivery)s could not be enqueued (%(error)s)."
        log_event(logger.error, "webhook_not_queued", message, delivery=delivery.pk, exc=exc)
        return False
    if not result.is_finished:
        return True
    # The backend has run it at once, and nobody will come back to it.
    delivery.refresh_from_db(using=get_database())
    return delivery.state in SETTLED
