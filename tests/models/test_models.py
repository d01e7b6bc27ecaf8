"""Models: validators, database constraints and representations."""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from alguna_portal.access import Access
from alguna_portal.models import Customer, Membership


@pytest.mark.parametrize("alias", ["acme-1", "a", "org/7", "Ünïcode 9", "a b", "x" * 255])
def test_valid_aliases(alias: str) -> None:
    Customer(alias=alias).clean_fields()


@pytest.mark.parametrize("alias", ["", " acme", "acme ", "ac\nme", "ac\x00me", "\t", "x" * 256])
def test_invalid_aliases(alias: str) -> None:
    """Control characters, spaces at the ends and long aliases."""
    with pytest.raises(ValidationError) as caught:
        Customer(alias=alias).clean_fields()
    assert set(caught.value.message_dict) == {"alias"}


@pytest.mark.parametrize(("currency", "good"), [("EUR", True), ("", True), ("eur", False), ("EURO", False)])
def test_currencies_are_validated(currency: str, *, good: bool) -> None:
    customer = Customer(alias="acme", currency=currency)
    if good:
        customer.clean_fields()
    else:
        with pytest.raises(ValidationError, match="ISO 4217"):
            customer.clean_fields()


def test_portal_settings_have_one_message_per_problem() -> None:
    with pytest.raises(ValidationError) as caught:
        Customer(alias="acme", portal_settings={"oops": {}, "invoices": 1}).clean_fields()
    assert len(caught.value.message_dict["portal_settings"]) == 2


@pytest.mark.parametrize("blank", [[], "", False, 0, None])
def test_blank_portal_settings_are_validated(blank: object) -> None:
    """Django doesn't run validators on blank values."""
    with pytest.raises(ValidationError) as caught:
        Customer(alias="acme", portal_settings=blank).full_clean(validate_unique=False, validate_constraints=False)
    assert set(caught.value.message_dict) == {"portal_settings"}


@pytest.mark.django_db
def test_aliases_are_unique() -> None:
    Customer.objects.create(alias="acme")
    with pytest.raises(IntegrityError):
        Customer.objects.create(alias="acme")


@pytest.mark.django_db
def test_customer_ids_are_unique_or_null() -> None:
    for alias in ("a", "b"):
        Customer.objects.create(alias=alias)
    Customer.objects.create(alias="c", customer_id="cust_1")
    with pytest.raises(IntegrityError):
        Customer.objects.create(alias="d", customer_id="cust_1")


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", [{"alias": ""}, {"alias": "a", "customer_id": ""}])
def test_the_database_rejects_empty_ids(wrong: dict[str, str]) -> None:
    with pytest.raises(IntegrityError):
        Customer.objects.create(**wrong)


def test_memberships_are_unique(manager: User, acme: Customer) -> None:
    with pytest.raises(IntegrityError):
        Membership.objects.create(user=manager, customer=acme, role="viewer")


def test_the_database_rejects_unknown_roles(non_member: User, acme: Customer) -> None:
    with pytest.raises(IntegrityError):
        Membership.objects.create(user=non_member, customer=acme, role="owner")


def test_representations_contain_no_addresses(acme: Customer) -> None:
    user = User.objects.create_user("bob@example.com", "bob@example.com")
    membership = Membership.objects.create(user=user, customer=acme)
    acme.email = "billing@acme.example"
    assert repr(membership) == f"<Membership: manager of customer {acme.pk}>"
    assert repr(acme) == f"<Customer: {acme.pk}>"
    assert "@" not in repr(Access(customer=Customer(alias="bob@example.com")))
    assert str(Customer(alias="x-9")) == "x-9"
