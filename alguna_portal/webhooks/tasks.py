"""Background task that handles a webhook delivery, and repeats it if a receiver fails.

Imported only if `USE_TASKS` is on: it needs Django's tasks framework, or django-tasks before Django 6.
"""

import logging
from datetime import timedelta
from typing import Any

from django.db import Error
from django.utils import timezone

from alguna_portal.log_events import log_event
from alguna_portal.models import WebhookDelivery

from .dispatch import get_database, run_receivers

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task  # type: ignore[import-not-found, no-redef, unused-ignore]

logger = logging.getLogger(__name__)

# Between tries to handle a message of Alguna's. Alguna itself does not send it again, once it is kept here.
PAUSES = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 720, 1440)]


@task
def handle_delivery(delivery_pk: Any, tries: int = 1) -> None:
    """Handle a message of Alguna's; where somebody fails, again after a while, as far as the backend can wait."""
    found = WebhookDelivery.objects.using(get_database()).filter(pk=delivery_pk)
    try:
        delivery = found.first()
        if delivery is None or run_receivers(delivery):
            return
    except Error as exc:
        message = "Webhook %(delivery)s failed (%(error)s)."
        log_event(logger.error, "webhook_failed", message, delivery=delivery_pk, type="", receiver="", at="", exc=exc)
    if tries > len(PAUSES):
        return
    if handle_delivery.get_backend().supports_defer:
        again = timezone.now() + PAUSES[tries - 1]
        handle_delivery.using(run_after=again).enqueue(delivery_pk, tries=tries + 1)
