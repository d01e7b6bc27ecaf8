"""Look-alikes: an alias is the very characters it has, for us, for the cache and for Alguna.

Databases that see it otherwise are in test_databases.py.
"""

import unicodedata
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from alguna_portal.access import get_choice
from alguna_portal.customers import Provisioned, provision
from alguna_portal.models import Customer, Membership
from alguna_portal.sessions import forget, open_session
from alguna_portal.testing import FakeAlguna, fake_alguna
from tests.conftest import FakeApi
from tests.hostile.lookalikes import ACME, ALIKE
from tests.support.clients import BILLING, customer_form, sign_in

told_apart = pytest.mark.skipif(
    connection.vendor == "mysql", reason="MariaDB takes some for the same: what comes of that is in test_databases.py"
)


@pytest.fixture
def acme(db: None) -> Customer:
    """The customer that attackers imitate."""
    return Customer.objects.create(alias=ACME, name="Acmé", plan="starter", currency="EUR")


@told_apart
@pytest.mark.parametrize("kind", ALIKE)
def test_a_look_alike_customer_opens_only_its_own_portal(
    alguna: FakeApi, manager: User, acme: Customer, settings: Settings, kind: str
) -> None:
    """Even if sessions are shared in the company."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    alike = Customer.objects.create(alias=ALIKE[kind], name="Acmé", plan="starter")
    eve = User.objects.create_user("eve")
    Membership.objects.create(user=eve, customer=alike)
    assert sign_in(manager).get(BILLING)["Location"] == alguna.url(1)
    assert sign_in(eve).get(BILLING)["Location"] == alguna.url(2)
    for choice in (acme.pk, ACME, get_choice(Customer(alias=ACME))):
        assert sign_in(eve).get(BILLING, {"customer": choice}).status_code == 403
    assert [body["customer_alias"] for body in alguna.bodies] == [ACME, ALIKE[kind]]


@pytest.mark.parametrize("kind", ALIKE)
def test_unsaved_look_alike_customers_have_different_choices(
    alguna: FakeApi, non_member: User, settings: Settings, kind: str
) -> None:
    def both(request: Any) -> list[Customer]:
        return [Customer(alias=ACME), Customer(alias=ALIKE[kind])]

    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = both
    for alias in (ALIKE[kind], ACME):
        sign_in(non_member).get(BILLING, {"customer": get_choice(Customer(alias=alias))})
    assert [body["customer_alias"] for body in alguna.bodies] == [ALIKE[kind], ACME]


@pytest.mark.parametrize("kind", ALIKE)
def test_look_alike_customers_have_separate_cache_entries(alguna: FakeApi, acme: Customer, kind: str) -> None:
    first = open_session(acme, user=User(pk=1))
    other = Customer(alias=ALIKE[kind], plan="starter")
    assert open_session(other, user=User(pk=1)).url != first.url
    assert forget(other)
    assert open_session(acme, user=User(pk=1)).url == first.url


@told_apart
@pytest.mark.parametrize("kind", [kind for kind, alias in ALIKE.items() if alias == alias.strip()])
def test_a_look_alike_customer_is_created_in_alguna(empty_fake: FakeAlguna, acme: Customer, kind: str) -> None:
    """The lookup by alias doesn't adopt the other customer."""
    assert provision(acme) is Provisioned.CREATED
    alike = Customer.objects.create(alias=ALIKE[kind], name="Acmé", currency="EUR")
    assert provision(alike) is Provisioned.CREATED
    assert alike.customer_id != acme.customer_id


@told_apart
@pytest.mark.parametrize("kind", ALIKE)
def test_the_admin_stores_aliases_unchanged(admin_client: Client, acme: Customer, kind: str) -> None:
    """Except for spaces at the ends, which forms strip."""
    with fake_alguna():
        response = admin_client.post(reverse("admin:alguna_portal_customer_add"), customer_form(alias=ALIKE[kind]))
    stored = set(Customer.objects.values_list("alias", flat=True)) - {ACME}
    if ALIKE[kind].strip() == ACME:
        assert (response.status_code, stored) == (200, set())
    else:
        assert (response.status_code, stored) == (302, {ALIKE[kind]})


def test_the_look_alikes_are_different_and_some_normalize_to_the_alias() -> None:
    assert len({ACME, *ALIKE.values()}) == 1 + len(ALIKE)
    folded = {unicodedata.normalize("NFKC", alias).casefold().strip() for alias in ALIKE.values()}
    assert unicodedata.normalize("NFKC", ACME).casefold() in folded
    assert len(folded) < len(ALIKE)
