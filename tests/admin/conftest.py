"""Fixtures for tests of the admin: simulated Alguna APIs, customers to create, a queue and clients."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from alguna_portal.links.tasks import mail_link
from alguna_portal.models import Customer
from alguna_portal.testing import FakeAlguna, fake_alguna
from tests.test_tasks import backend


@pytest.fixture
def fake(empty_fake: FakeAlguna) -> FakeAlguna:
    """An Alguna API without customers."""
    return empty_fake


@pytest.fixture
def fake_with_all_customers() -> Iterator[FakeAlguna]:
    """An Alguna API that has every customer, for change pages that look one up."""
    with fake_alguna() as fake:
        yield fake


@pytest.fixture
def failing_client(admin_client: Client) -> Client:
    """A superuser's client that returns status 500 instead of raising exceptions."""
    admin_client.raise_request_exception = False
    return admin_client


@pytest.fixture
def shop(db: None) -> Customer:
    """A customer that can be created in Alguna."""
    return Customer.objects.create(alias="shop-9", name="Shop", currency="EUR", email="bills@shop.example")


@pytest.fixture
def shops(db: None) -> list[Customer]:
    """Three customers that can be created in Alguna, in the order of the changelist."""
    rows = [Customer(alias=f"shop-{number}", name=f"Shop {number}", currency="EUR") for number in range(3)]
    return Customer.objects.bulk_create(rows)


@pytest.fixture
def queued(settings: Settings) -> Any:
    """A queue without a worker."""
    settings.ALGUNA_PORTAL_USE_TASKS = True
    settings.TASKS = backend("dummy")
    return mail_link.get_backend()
