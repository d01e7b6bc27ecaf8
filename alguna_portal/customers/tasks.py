"""Background task that creates a customer in Alguna.

Imported only if `USE_TASKS` is on: it needs Django's tasks framework, or django-tasks before Django 6.
"""

from typing import Any

from django.db import router

from alguna_portal.models import Customer

from .provisioning import provision

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task  # type: ignore[import-not-found, no-redef, unused-ignore]


@task
def provision_customer(customer_pk: Any) -> str:
    """Create a customer in Alguna, or find it there; return which of the two."""
    return provision(Customer.objects.using(router.db_for_write(Customer)).get(pk=customer_pk)).value
