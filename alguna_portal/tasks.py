"""What is left to workers where `USE_TASKS` is on: by Django's tasks framework, or by django-tasks before Django 6.

Imported only then, since Django 5.2 has neither.
"""

from typing import Any

from django.utils import timezone
from django.utils.translation import override

from .customers import provision
from .link_mails import LinkNotSent, deliver
from .models import Customer, PortalLink

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
    waiting = PortalLink.objects.filter(pk=link_pk, sent_at=None, revoked_at=None, expires_at__gt=timezone.now())
    with override(language):
        for link, failure in deliver(waiting.select_related("customer")):
            if failure:
                waiting.update(failure=failure)
                raise LinkNotSent(f"Link {link.pk} could not be mailed ({failure}).", failure)


@task
def provision_customer(customer_pk: Any) -> str:
    """Create a customer in Alguna, or find it there; return which of the two."""
    return provision(Customer.objects.get(pk=customer_pk)).value
