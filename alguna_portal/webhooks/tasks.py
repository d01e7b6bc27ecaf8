"""Background task that handles a webhook delivery, and retries it if a receiver fails.

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

# Between attempts to handle a message. Alguna doesn't send it again once it's stored here.
PAUSES = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 720, 1440)]


@task
def handle_delivery(delivery_pk: Any, tries: int = 1) -> None:
    """Run the receivers of a message. If one fails, enqueue the task again with a delay, if the backend supports it."""
    try:
        delivery = WebhookDelivery.objects.using(get_database()).filter(pk=delivery_pk).first()
        if delivery is None or run_receivers(delivery):
            return
    except Error as exc:
        message = "Webhook %(delivery)s failed (%(error)s)."
        log_event(logger.error, "webhook_failed", message, delivery=delivery_pk, type="", receiver="", at="", exc=exc)
    if tries <= len(PAUSES) and handle_delivery.get_backend().supports_defer:
        run_after = timezone.now() + PAUSES[tries - 1]
        handle_delivery.using(run_after=run_after).enqueue(delivery_pk, tries=tries + 1)
