"""Nothing is written: no row, no cache entry, no mail, and no call to Alguna that changes anything."""

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
from tests.doctor.conftest import WEBHOOK, Account, run
from tests.doctor.mailing import Postbox


def rows() -> dict[str, list[Any]]:
    """All that there is in the database, the cache's table included."""
    found = {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in apps.get_models()}
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM portal_cache")
        found["cache"] = cursor.fetchall()
    return found


@pytest.mark.parametrize("everything", [True, False], ids=["well", "down"])
def test_nothing_is_left_behind(well: Settings, account: Account, postbox: Postbox, everything: bool) -> None:
    """Neither where all goes well, nor where Alguna, the site and the mail server fail."""
    Customer.objects.create(alias="gone", customer_id="cust_gone", plan="gold", portal_settings={"x": 1})
    if not everything:
        account.fail(503)
        postbox.greeting = b"554 no\r\n"
        account.http.replace("GET", WEBHOOK, status=500)
    before, known = rows(), dict(account.state)
    statements: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        run()
        run("--json", "--all")
    assert rows() == before
    assert dict(account.state) == known
    assert {each.partition(" ")[0] for each in account.requests} == {"GET"}
    assert not {"MAIL", "RCPT", "DATA"} & set(postbox.said)
    assert not mail.outbox
    assert not PortalAccess.objects.exists()
    written = [sql for sql in statements if sql.split()[0] in {"INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP"}]
    assert written
    assert not [sql for sql in written if "portal_cache" not in sql]


def test_nothing_is_left_in_a_cache_of_any_kind(well: Settings) -> None:
    """Nor is the site's breaker told of an Alguna that the doctor could not reach."""
    well.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "doctor"}}
    run()
    assert not vars(caches["default"])["_cache"]


def test_what_clicks_have_kept_stays(well: Settings) -> None:
    """The doctor deletes what is its own."""
    caches["default"].set("somebody's", 1)
    run()
    assert caches["default"].get("somebody's") == 1


def test_links_that_were_sent_are_not_touched(well: Settings) -> None:
    """Nor is another one made to try the signature."""
    later = timezone.now() + timedelta(days=1)
    customer = Customer.objects.get()
    PortalLink.objects.create(
        customer=customer, recipient="b@acme.example", role="viewer", expires_at=later, renewable_until=later
    )
    before = list(PortalLink.objects.values())
    run()
    assert list(PortalLink.objects.values()) == before
