"""The checks of memberships."""

import pytest
from django.contrib.auth.models import User, UserManager
from django.db import connection
from django.db.models import QuerySet
from pytest_django import Settings

from alguna_portal.doctor import customers
from alguna_portal.models import Customer, Membership
from tests.doctor.conftest import run_doctor


def test_users_hidden_by_default_manager_are_found(healthy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UserManager, "get_queryset", lambda self: QuerySet(self.model).none())
    assert not User.objects.exists()
    assert run_doctor("--offline").get_level("memberships.whole") == "ok"


def test_memberships_without_customer_or_user_are_an_error(healthy: Settings) -> None:
    """Some databases and dumps don't enforce foreign keys."""
    vic = User.objects.create_user("vic")
    membership = Membership.objects.create(user=vic, customer=Customer.objects.get())
    connection.disable_constraint_checking()
    try:
        Membership.objects.filter(pk=membership.pk).update(customer=4711)
        finding = run_doctor("--offline")["memberships.whole"]
        assert finding["level"] == "error"
        assert f"1 membership without a customer or a user (pk {membership.pk})" in finding["found"]
        Membership.objects.filter(pk=membership.pk).update(customer=Customer.objects.get(), user=4711)
        assert run_doctor("--offline").get_level("memberships.whole") == "error"
    finally:
        Membership.objects.filter(pk=membership.pk).delete()
        connection.enable_constraint_checking()


def test_customers_without_members_are_a_note(healthy: Settings) -> None:
    for alias in "bc":
        Customer.objects.create(alias=alias)
    finding = run_doctor("--offline")["memberships.customers"]
    assert (finding["level"], finding["found"].partition(" without")[0]) == ("note", "2 customers")


def test_inactive_members_are_a_note(healthy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A custom user model may not have the field."""
    User.objects.update(is_active=False)
    assert run_doctor("--offline").get_level("memberships.users") == "note"
    monkeypatch.setattr(customers, "get_user_model", lambda: Customer)
    assert run_doctor("--offline").get_level("memberships.users") == "skipped"


def test_memberships_are_skipped_with_custom_resolver(healthy: Settings) -> None:
    healthy.ALGUNA_PORTAL_CUSTOMER_RESOLVER = "tests.doctor.test_memberships.resolver"
    report = run_doctor("--offline")
    assert report.get_level("memberships.customers") == "skipped"
    assert "memberships.users" not in report


def resolver(request: object) -> None:
    """Return no customer."""
