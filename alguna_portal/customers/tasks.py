"""Background task that finds or creates a customer in Alguna.

Imported only if `USE_TASKS` is on, because it needs Django's tasks framework (before Django 6: django-tasks).
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
    """Find or create a customer in Alguna, and return the value of `Provisioned`."""
    return provision(Customer.objects.using(router.db_for_write(Customer)).get(pk=customer_pk)).value
