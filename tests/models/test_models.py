"""Customers and memberships: what the database refuses, and what a repr does not show."""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from alguna_portal.access import Access
from alguna_portal.models import Customer, Membership


@pytest.mark.parametrize("alias", ["acme-1", "a", "org/7", "Ünïcode 9", "a b", "x" * 255])
def test_an_alias_may_be_any_id_of_the_hosts(alias: str) -> None:
    """Hosts have ids of every form."""
    Customer(alias=alias).clean_fields()


@pytest.mark.parametrize("alias", ["", " acme", "acme ", "ac\nme", "ac\x00me", "\t", "x" * 256])
def test_an_alias_that_would_get_lost_is_refused(alias: str) -> None:
    """Control characters, outer spaces and too long an alias would not survive the way to Alguna."""
    with pytest.raises(ValidationError) as caught:
        Customer(alias=alias).clean_fields()
    assert set(caught.value.message_dict) == {"alias"}


@pytest.mark.parametrize(("currency", "good"), [("EUR", True), ("", True), ("eur", False), ("EURO", False)])
def test_a_currency_has_the_form_of_iso_4217(currency: str, *, good: bool) -> None:
    """Three capital letters, or none yet."""
    customer = Customer(alias="acme", currency=currency)
    if good:
        customer.clean_fields()
    else:
        with pytest.raises(ValidationError, match="ISO 4217"):
            customer.clean_fields()


def test_portal_settings_of_a_customer_are_validated_problem_by_problem() -> None:
    """Each problem is a message of its own, at the field."""
    with pytest.raises(ValidationError) as caught:
        Customer(alias="acme", portal_settings={"oops": {}, "invoices": 1}).clean_fields()
    assert len(caught.value.message_dict["portal_settings"]) == 2


@pytest.mark.parametrize("blank", [[], "", False, 0, None])
def test_what_looks_blank_is_validated_too(blank: object) -> None:
    """Django runs no validators on it, and yet it is no mapping."""
    with pytest.raises(ValidationError) as caught:
        Customer(alias="acme", portal_settings=blank).full_clean(validate_unique=False, validate_constraints=False)
    assert set(caught.value.message_dict) == {"portal_settings"}


@pytest.mark.django_db
def test_two_customers_share_no_alias() -> None:
    """An alias leads to one customer."""
    Customer.objects.create(alias="acme")
    with pytest.raises(IntegrityError):
        Customer.objects.create(alias="acme")


@pytest.mark.django_db
def test_two_customers_share_no_id_and_many_have_none_yet() -> None:
    """Unknown ids do not collide, known ones do."""
    for alias in ("a", "b"):
        Customer.objects.create(alias=alias)
    Customer.objects.create(alias="c", customer_id="cust_1")
    with pytest.raises(IntegrityError):
        Customer.objects.create(alias="d", customer_id="cust_1")


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", [{"alias": ""}, {"alias": "a", "customer_id": ""}])
def test_an_empty_id_is_no_id(wrong: dict[str, str]) -> None:
    """The database itself refuses what a form would have caught."""
    with pytest.raises(IntegrityError):
        Customer.objects.create(**wrong)


def test_a_user_is_a_member_once(manager: User, acme: Customer) -> None:
    """Two roles in one company would be a riddle."""
    with pytest.raises(IntegrityError):
        Membership.objects.create(user=manager, customer=acme, role="viewer")


def test_a_role_that_does_not_exist_is_refused_by_the_database(stranger: User, acme: Customer) -> None:
    """Code that skips validation cannot make an owner."""
    with pytest.raises(IntegrityError):
        Membership.objects.create(user=stranger, customer=acme, role="owner")


def test_no_repr_shows_an_address(acme: Customer) -> None:
    """User names are often e-mail addresses; a membership names its user not at all."""
    user = User.objects.create_user("bob@example.com", "bob@example.com")
    membership = Membership.objects.create(user=user, customer=acme)
    acme.email = "billing@acme.example"
    assert repr(membership) == f"<Membership: manager of customer {acme.pk}>"
    assert repr(acme) == f"<Customer: {acme.pk}>"
    assert "@" not in repr(Access(customer=Customer(alias="bob@example.com")))
    assert str(Customer(alias="x-9")) == "x-9"
