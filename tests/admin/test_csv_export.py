"""The export of portal accesses as CSV: selection, chunks, ASGI, escaped formulas."""

import csv
from datetime import datetime, timedelta, timezone
from io import StringIO
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import AsyncClient, Client
from pytest_django import DjangoAssertNumQueries, Settings

from alguna_portal.admin import portal_access as export_module
from alguna_portal.models import Customer, PortalAccess
from tests.support.admin import AT, create_access, get_list_url, get_text, run_action

LIST = get_list_url(PortalAccess)
HEADER = (
    "at,user,user_key,impersonated,customer,customer_alias,via,role,outcome,error,session_id,portal_settings,link\r\n"
)


def get_file(response: Any) -> str:
    """Return the content of the file."""
    return b"".join(response.streaming_content).decode("utf-8")


def get_lines(response: Any) -> list[list[str]]:
    """Return the cells of each line without the header."""
    return list(csv.reader(StringIO(get_file(response), newline="")))[1:]


@time_machine.travel("2026-03-05T23:30:00Z", tick=False)
def test_selected_accesses_are_exported_with_utc_times(
    admin_client: Client, manager: User, acme: Customer, settings: Settings
) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    Customer.objects.filter(pk=acme.pk).update(name="Ächme, “Ltd”")
    at = datetime(2026, 3, 4, 7, 6, tzinfo=timezone(timedelta(hours=2)))
    one = create_access(
        manager,
        acme,
        at=at,
        user_key="7",
        customer_alias="acme-old",
        impersonated=True,
        error="Oops",
        session_id="sess_9",
        portal_settings={"é": {"show_section": True}},
    )
    create_access(manager, acme)
    response = run_action(admin_client, "export_as_csv", one)
    assert response.streaming
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="portal-accesses-2026-03-05.csv"'
    assert "no-store" in response.headers["Cache-Control"]
    assert get_file(response) == HEADER + (
        '2026-03-04T05:06:00+00:00,mia,7,true,"Ächme, “Ltd”",acme-old,view,manager,opened,Oops,sess_9,'
        '"{""é"": {""show_section"": true}}",\r\n'
    )


def test_a_selection_across_all_pages_is_exported_with_one_query(
    admin_client: Client, manager: User, acme: Customer, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rows = [create_access(manager, acme, outcome="denied") for _ in range(150)]
    create_access(manager, acme)
    response = run_action(admin_client, "export_as_csv", rows[0], query="?outcome__exact=denied", select_across=1)
    with django_assert_num_queries(1):
        found = get_lines(response)
    assert len(found) == 150
    assert {row[8] for row in found} == {"denied"}


def test_rows_are_read_in_chunks_with_the_latest_first(
    admin_client: Client,
    acme: Customer,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    monkeypatch.setattr(export_module, "CHUNK_SIZE", 2)
    for number in (3, 1, 2, 1, 2, 1, 2):
        create_access(None, acme, at=AT + timedelta(days=number))
    first = PortalAccess.objects.all()[0]
    response = run_action(admin_client, "export_as_csv", first, query="?o=1", select_across=1)
    with django_assert_num_queries(4) as queries:
        found = get_lines(response)
    assert [row[0][:10] for row in found] == [f"2026-03-0{4 + number}" for number in (3, 2, 2, 2, 1, 1, 1)]
    assert all("LIMIT 2" in query["sql"] for query in queries.captured_queries)


@pytest.mark.django_db(transaction=True)
def test_asgi_streams_the_chunks(admin_user: User, acme: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "CHUNK_SIZE", 2)
    rows = [create_access(None, acme, at=AT - timedelta(days=number)) for number in range(5)]
    client = AsyncClient()
    client.force_login(admin_user)
    fields = {"action": "export_as_csv", "_selected_action": [row.pk for row in rows], "index": 0}

    async def read() -> list[bytes]:
        response: Any = await client.post(LIST, fields)
        parts = []
        async for part in response.streaming_content:
            parts.append(part)
            # What is deleted by now has been read, or is not sent.
            await PortalAccess.objects.filter(pk=rows[4].pk).adelete()
        return parts

    parts = async_to_sync(read)()
    assert [part.count(b"acme-1") for part in parts] == [1, 2, 1]
    assert b"".join(parts).decode().startswith(HEADER)


def test_rows_added_or_deleted_during_the_export_move_no_other_row(
    acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "CHUNK_SIZE", 2)
    rows = [create_access(None, acme, at=AT - timedelta(days=number)) for number in range(5)]
    read = export_module.iterate_latest_first(PortalAccess.objects.all())
    assert [next(read), next(read)] == rows[:2]
    create_access(None, acme, at=AT + timedelta(days=1))
    rows[0].delete()
    rows[1].delete()
    assert list(read) == rows[2:]


def test_an_export_that_ends_with_a_full_chunk_ends(acme: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "CHUNK_SIZE", 2)
    rows = [create_access(None, acme, at=AT - timedelta(days=number)) for number in range(4)]
    assert list(export_module.iterate_latest_first(PortalAccess.objects.all())) == rows


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_formulas_are_escaped(admin_client: Client, acme: Customer, first: str) -> None:
    create_access(None, acme, error=f"{first}cmd|' /C calc'!A0", session_id="a=b+c-d")
    (row,) = get_lines(run_action(admin_client, "export_as_csv", PortalAccess.objects.get()))
    assert row[9] == f"'{first}cmd|' /C calc'!A0"
    assert row[10] == "a=b+c-d"


def test_email_addresses_are_not_exported(admin_client: Client, db: None) -> None:
    user = User.objects.create_user("mia@acme.example")
    customer = Customer.objects.create(alias="bill@acme.example")
    first = create_access(user, customer)
    second = create_access(None, None, user_key="gone@acme.example", customer_alias="left@acme.example")
    third = create_access(outcome="denied", role="")
    response = run_action(admin_client, "export_as_csv", first, second, third)
    assert [row[1:6] for row in get_lines(response)] == [
        ["", "", "false", "", ""],
        ["user g…@acme.example (deleted)", "g…@acme.example", "false", "", "l…@acme.example"],
        [f"user {user.pk}", str(user.pk), "false", f"customer {customer.pk}", "b…@acme.example"],
    ]


def test_the_export_is_the_only_action(admin_client: Client, acme: Customer) -> None:
    create_access(None, acme)
    shown = get_text(admin_client.get(LIST))
    assert '<option value="export_as_csv">Export selected as CSV</option>' in shown
    assert shown.count("<option value=") == 2
