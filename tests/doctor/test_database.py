"""The database: migrations, plans, settings of customers, and memberships."""

from typing import Any

import pytest
from django.contrib.auth.models import User, UserManager
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import QuerySet
from pytest_django import Settings

from alguna_portal.doctor import context, database, memberships
from alguna_portal.models import Customer, Membership
from tests.doctor.conftest import examined


def test_migrations_that_are_missing_are_an_error(well: Settings) -> None:
    """No row is read then; the other examinations go on."""
    MigrationRecorder(connection).record_unapplied("alguna_portal", "0001_initial")
    said = examined("--offline")
    assert said["database.migrations"]["found"] == ("1 migration not applied: alguna_portal.0001_initial.")
    assert said["database.migrations"]["remedy"] == "Run manage.py migrate."
    for name in ("database.plans", "memberships.whole", "customers.known"):
        assert said.level(name) == "skipped"
    assert said.level("links.signing") == "ok"


def test_a_database_that_is_not_there_is_an_error(well: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the failure alone; it says users and hosts."""

    def refuse(_using: str) -> Any:
        raise OperationalError("password authentication failed for user mia")

    monkeypatch.setattr(database, "unapplied", refuse)
    monkeypatch.setattr(context, "unapplied", refuse)
    said = examined("--offline")
    assert said["database.reachable"]["found"] == "The database cannot be asked (OperationalError)."
    assert said.level("customers.known") == "skipped"


def test_plans_without_settings_are_a_warning(well: Settings) -> None:
    """With their names, and how many customers are on them; those on none are not counted."""
    for alias, plan in [("a", "gold"), ("b", "gold"), ("c", "silver"), ("d", "growth"), ("e", "")]:
        Customer.objects.create(alias=alias, plan=plan)
    said = examined("--offline")["database.plans"]
    assert said["level"] == "warning"
    assert said["found"].startswith("3 customers on plans without settings: “gold” (2), “silver” (1).")


def test_portal_settings_that_cannot_be_read_are_a_warning(well: Settings) -> None:
    """By primary key, since an alias may be an address; right ones are not named."""
    wrong = Customer.objects.create(alias="mia@acme.example", portal_settings={"plan_overview": {}})
    Customer.objects.create(alias="b", portal_settings={"invoice_list_settings": {"show_section": False}})
    said = examined("--offline")["database.portal_settings"]
    assert said["level"] == "warning"
    assert f"1 customer with portal settings that are not right (pk {wrong.pk})" in said["found"]


def test_the_earlier_api_has_fewer_portal_settings(well: Settings) -> None:
    """What it has no words for is found, too."""
    well.ALGUNA_PORTAL_API_VERSION = "legacy"
    well.ALGUNA_PORTAL_PLANS = {"starter": {}}
    own = {"billing_details_settings": {"allow_account_edit": True}}
    Customer.objects.create(alias="b", portal_settings=own)
    assert examined("--offline").level("database.portal_settings") == "warning"


def test_a_user_whom_a_manager_hides_is_there(well: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those who are deleted softly are."""
    monkeypatch.setattr(UserManager, "get_queryset", lambda self: QuerySet(self.model).none())
    assert not User.objects.exists()
    assert examined("--offline").level("memberships.whole") == "ok"


def test_memberships_that_lead_nowhere_are_an_error(well: Settings) -> None:
    """Constraints forbid them, where there are any: a dump or another program may have left them."""
    vic = User.objects.create_user("vic")
    lost = Membership.objects.create(user=vic, customer=Customer.objects.get())
    connection.disable_constraint_checking()
    try:
        Membership.objects.filter(pk=lost.pk).update(customer=4711)
        said = examined("--offline")["memberships.whole"]
        assert said["level"] == "error"
        assert f"1 membership without a customer or a user (pk {lost.pk})" in said["found"]
        Membership.objects.filter(pk=lost.pk).update(customer=Customer.objects.get(), user=4711)
        assert examined("--offline").level("memberships.whole") == "error"
    finally:
        Membership.objects.filter(pk=lost.pk).delete()
        connection.enable_constraint_checking()


def test_customers_whom_nobody_opens_are_a_note(well: Settings) -> None:
    """They may have mailed links."""
    for alias in "bc":
        Customer.objects.create(alias=alias)
    said = examined("--offline")["memberships.customers"]
    assert (said["level"], said["found"].partition(" without")[0]) == ("note", "2 customers")


def test_members_who_are_inactive_are_a_note(well: Settings) -> None:
    """They open nothing."""
    User.objects.update(is_active=False)
    assert examined("--offline").level("memberships.users") == "note"


def test_users_who_cannot_be_inactive_are_not_asked_about(well: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host's user may have no such field."""
    monkeypatch.setattr(memberships, "get_user_model", lambda: Customer)
    assert examined("--offline").level("memberships.users") == "skipped"


def test_a_resolver_of_the_hosts_decides_by_itself(well: Settings) -> None:
    """Memberships may not be used at all."""
    well.ALGUNA_PORTAL_CUSTOMER_RESOLVER = "tests.doctor.test_database.resolver"
    said = examined("--offline")
    assert said.level("memberships.customers") == "skipped"
    assert "memberships.users" not in said


def resolver(request: object) -> None:
    """Resolve nothing."""
