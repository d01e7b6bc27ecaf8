"""Background task that emails a portal link.

Imported only if `USE_TASKS` is on: it needs Django's tasks framework, or django-tasks before Django 6.
"""

from typing import Any

from django.db import router
from django.utils import timezone
from django.utils.translation import override

from alguna_portal.models import PortalLink

from .emails import LinkNotSent, send_emails

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task  # type: ignore[import-not-found, no-redef, unused-ignore]


@task
def mail_link(link_pk: Any, language: str | None) -> None:
    """Email a link in the sender's language; raise `LinkNotSent` if that fails.

    If the link has been mailed, revoked or deleted or has expired, do nothing. The arguments contain no credential,
    because queues store them.
    """
    # From the primary database: if the row isn't on a replica yet, the email would be lost.
    links = PortalLink.objects.using(router.db_for_write(PortalLink))
    unsent = links.filter(pk=link_pk, sent_at=None, revoked_at=None, expires_at__gt=timezone.now())
    with override(language):
        for link, failure in send_emails(unsent.select_related("customer")):
            if failure:
                unsent.update(failure=failure)
                raise LinkNotSent(f"Link {link.pk} could not be mailed ({failure}).", failure)
