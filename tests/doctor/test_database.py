"""The checks of migrations, plans and portal settings."""

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from pytest_django import Settings

from alguna_portal.doctor import context
from alguna_portal.models import Customer
from tests.doctor.conftest import run_doctor


def test_unapplied_migration_is_an_error(healthy: Settings) -> None:
    MigrationRecorder(connection).record_unapplied("alguna_portal", "0001_initial")
    report = run_doctor("--offline")
    assert report["database.migrations"]["found"] == "1 migration not applied: alguna_portal.0001_initial."
    assert report["database.migrations"]["remedy"] == "Run manage.py migrate."
    for name in ("database.plans", "memberships.whole", "customers.known"):
        assert report.get_level(name) == "skipped"
    assert report.get_level("links.signing") == "ok"


def test_unreachable_database_is_an_error(healthy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of the exception is not shown, since it contains users and hosts."""

    def refuse(_connection: object) -> None:
        raise OperationalError("password authentication failed for user mia")

    monkeypatch.setattr(context, "MigrationLoader", refuse)
    report = run_doctor("--offline")
    assert report["database.reachable"]["found"] == "The database cannot be asked (OperationalError)."
    assert report.get_level("customers.known") == "skipped"


def test_plans_without_settings_are_a_warning(healthy: Settings) -> None:
    """Customers without a plan are not counted."""
    for alias, plan in [("a", "gold"), ("b", "gold"), ("c", "silver"), ("d", "growth"), ("e", "")]:
        Customer.objects.create(alias=alias, plan=plan)
    finding = run_doctor("--offline")["database.plans"]
    assert finding["level"] == "warning"
    assert finding["found"].startswith("3 customers on plans without settings: “gold” (2), “silver” (1).")


def test_invalid_portal_settings_are_a_warning(healthy: Settings) -> None:
    """Customers are named by primary key, since an alias may be an email address."""
    wrong = Customer.objects.create(alias="mia@acme.example", portal_settings={"plan_overview": {}})
    Customer.objects.create(alias="b", portal_settings={"invoice_list_settings": {"show_section": False}})
    finding = run_doctor("--offline")["database.portal_settings"]
    assert finding["level"] == "warning"
    assert f"1 customer with portal settings that are not right (pk {wrong.pk})" in finding["found"]


def test_settings_that_legacy_api_does_not_support_are_a_warning(healthy: Settings) -> None:
    healthy.ALGUNA_PORTAL_API_VERSION = "legacy"
    healthy.ALGUNA_PORTAL_PLANS = {"starter": {}}
    Customer.objects.create(alias="b", portal_settings={"billing_details_settings": {"allow_account_edit": True}})
    assert run_doctor("--offline").get_level("database.portal_settings") == "warning"
