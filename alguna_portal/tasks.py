"""What is left to workers where `USE_TASKS` is on: by Django's tasks framework, or by django-tasks before Django 6.

Imported only then, since Django 5.2 has neither.
"""

import logging
from datetime import timedelta
from typing import Any

from django.db import Error, router
from django.utils import timezone
from django.utils.translation import override

from .customers import provision
from .events import event
from .link_mails import LinkNotSent, deliver
from .models import Customer, PortalLink, WebhookDelivery
from .webhooks.handling import database, handle

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task  # type: ignore[import-not-found, no-redef, unused-ignore]

logger = logging.getLogger(__name__)

# Between tries to handle a message of Alguna's. Alguna itself does not send it again, once it is kept here.
PAUSES = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 720, 1440)]


@task
def mail_link(link_pk: Any, language: str | None) -> None:
    """Mail a link, in the language of whoever sent it; raise `LinkNotSent` where that failed.

    Nothing where it has been mailed, revoked or deleted since, or is over. Arguments hold no credential: queues are
    stored.
    """
    # Where it is written: a replica may not have it yet, and a mail would be lost.
    links = PortalLink.objects.using(router.db_for_write(PortalLink))
    waiting = links.filter(pk=link_pk, sent_at=None, revoked_at=None, expires_at__gt=timezone.now())
    with override(language):
        for link, failure in deliver(waiting.select_related("customer")):
            if failure:
                waiting.update(failure=failure)
                raise LinkNotSent(f"Link {link.pk} could not be mailed ({failure}).", failure)


@task
def provision_customer(customer_pk: Any) -> str:
    """Create a customer in Alguna, or find it there; return which of the two."""
    return provision(Customer.objects.using(router.db_for_write(Customer)).get(pk=customer_pk)).value


@task
def handle_delivery(delivery_pk: Any, tries: int = 1) -> None:
    """Handle a message of Alguna's; where somebody fails, again after a while, as far as the backend can wait."""
    found = WebhookDelivery.objects.using(database()).filter(pk=delivery_pk)
    try:
        delivery = found.first()
        if delivery is None or handle(delivery):
            return
    except Error as exc:
        extra = event("webhook_failed", delivery=delivery_pk, type="", receiver="", error=type(exc).__name__, at="")
        logger.error("Webhook %s failed (%s).", delivery_pk, extra["error"], extra=extra)  # noqa: TRY400
    if tries > len(PAUSES):
        return
    if handle_delivery.get_backend().supports_defer:
        again = timezone.now() + PAUSES[tries - 1]
        handle_delivery.using(run_after=again).enqueue(delivery_pk, tries=tries + 1)
