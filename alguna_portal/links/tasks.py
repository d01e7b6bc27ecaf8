"""Background task that mails a link.

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
    """Mail a link, in the language of whoever sent it; raise `LinkNotSent` where that failed.

    Nothing where it has been mailed, revoked or deleted since, or is over. Arguments hold no credential: queues are
    stored.
    """
    # Where it is written: a replica may not have it yet, and a mail would be lost.
    links = PortalLink.objects.using(router.db_for_write(PortalLink))
    waiting = links.filter(pk=link_pk, sent_at=None, revoked_at=None, expires_at__gt=timezone.now())
    with override(language):
        for link, failure in send_emails(waiting.select_related("customer")):
            if failure:
                waiting.update(failure=failure)
                raise LinkNotSent(f"Link {link.pk} could not be mailed ({failure}).", failure)
