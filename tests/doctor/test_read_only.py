"""The doctor writes no rows, cache entries or emails, and changes nothing in Alguna."""

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core import mail
from django.core.cache import caches
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from alguna_portal.models import Customer, PortalAccess, PortalLink
from tests.doctor.conftest import WEBHOOK, FakeApi, run_command
from tests.doctor.smtp_server import SmtpServer


def get_rows() -> dict[str, list[Any]]:
    rows = {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in apps.get_models()}
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM portal_cache")
        rows["cache"] = cursor.fetchall()
    return rows


@pytest.mark.parametrize("is_available", [True, False], ids=["available", "unavailable"])
def test_nothing_is_written(healthy: Settings, api: FakeApi, smtp_server: SmtpServer, is_available: bool) -> None:
    """Links, cache entries and customers with problems exist before and are unchanged afterwards."""
    gone = Customer.objects.create(alias="gone", customer_id="cust_gone", plan="gold", portal_settings={"x": 1})
    later = timezone.now() + timedelta(days=1)
    PortalLink.objects.create(
        customer=gone, recipient="b@acme.example", role="viewer", expires_at=later, renewable_until=later
    )
    caches["default"].set("other", 1)
    if not is_available:
        api.fail(503)
        smtp_server.greeting = b"554 no\r\n"
        api.http.replace("GET", WEBHOOK, status=500)
    rows, state = get_rows(), dict(api.state)
    statements: list[str] = []

    def record(execute: Any, sql: str, *arguments: Any) -> Any:
        statements.append(sql)
        return execute(sql, *arguments)

    with connection.execute_wrapper(record):
        run_command()
        run_command("--json", "--all")
    assert get_rows() == rows
    assert dict(api.state) == state
    assert {each.partition(" ")[0] for each in api.requests} == {"GET"}
    assert not {"MAIL", "RCPT", "DATA"} & set(smtp_server.commands)
    assert not mail.outbox
    assert not PortalAccess.objects.exists()
    written = [sql for sql in statements if sql.split()[0] in {"INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP"}]
    assert written
    assert not [sql for sql in written if "portal_cache" not in sql]


def test_cache_is_empty_afterwards(healthy: Settings) -> None:
    """The doctor doesn't use the circuit breaker, which stores entries, too."""
    healthy.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "doctor"}}
    run_command()
    assert not vars(caches["default"])["_cache"]
