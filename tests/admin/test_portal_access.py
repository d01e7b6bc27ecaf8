"""The admin of portal accesses: list, page, filters and search, without email addresses."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from alguna_portal.admin import CustomerAdmin
from alguna_portal.links import send_link
from alguna_portal.models import Customer, PortalAccess, PortalLink
from tests.support.admin import (
    create_access,
    get_list_url,
    get_rows,
    get_text,
    get_url,
    run_action,
    sign_in,
    unregister,
)

LIST = get_list_url(PortalAccess)

pytestmark = pytest.mark.usefixtures("fake_with_all_customers")
AT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


@pytest.fixture
def auditor(db: None) -> Client:
    """A client with only the permission to view accesses."""
    return sign_in(User.objects.create_user("audrey"), "view_portalaccess")


def test_the_list_shows_user_customer_and_outcome(
    auditor: Client, manager: User, acme: Customer, settings: Settings
) -> None:
    settings.TIME_ZONE = "UTC"
    create_access(manager, acme, outcome="failed", error="BadAnswer")
    shown = get_text(auditor.get(LIST))
    for name, value in {
        "user_name": "mia",
        "customer_name": "Acme",
        "via": "Billing page",
        "role": "manager",
        "outcome": "failed",
        "error": "BadAnswer",
    }.items():
        assert f'<td class="field-{name}">{value}</td>' in shown
    assert "March 4, 2026, 5:06 a.m." in shown


def test_an_access_by_emailed_link_links_to_it(admin_client: Client, manager: User, acme: Customer) -> None:
    link = send_link(acme, to="billing@acme.example")
    each = create_access(manager, acme, via="link", link=link)
    page = get_url(link)
    shown = get_text(admin_client.get(get_url(each)))
    assert f'<a href="{page}">{link.pk}</a>' in shown
    fields = {"action": "export_as_csv", "_selected_action": [each.pk], "index": 0}
    exported: Any = admin_client.post(LIST, fields)
    assert b"".join(exported.streaming_content).decode().endswith(f",{{}},{link.pk}\r\n")


def test_the_page_shows_all_fields(auditor: Client, manager: User, acme: Customer) -> None:
    each = create_access(
        manager,
        acme,
        customer_alias="acme-old",
        user_key="key-7",
        session_id="sess_9",
        impersonated=True,
        portal_settings={"invoice_list_settings": {"show_section": True}},
    )
    shown = get_text(auditor.get(get_url(each)))
    for value in ("mia", "key-7", "Acme", "acme-old", "Billing page", "manager", "opened", "sess_9"):
        assert f'<div class="readonly">{value}</div>' in shown
    assert 'alt="True"' in shown
    assert '<pre>{\n  "invoice_list_settings": {\n    "show_section": true\n  }\n}</pre>' in shown


def test_portal_settings_are_escaped(auditor: Client, db: None) -> None:
    each = create_access(portal_settings={"<script>": 1})
    assert "<script>&quot;" not in auditor.get(get_url(each)).content.decode()
    assert "&lt;script&gt;" in auditor.get(get_url(each)).content.decode()


def test_the_view_permission_allows_the_export(auditor: Client, acme: Customer) -> None:
    response = run_action(auditor, "export_as_csv", create_access(None, acme))
    assert response.headers["Content-Type"].startswith("text/csv")


def test_the_view_permission_is_required(non_member: User, acme: Customer) -> None:
    each = create_access(non_member, acme)
    client = sign_in(non_member, "view_customer")
    assert client.get(LIST).status_code == 403
    assert client.get(get_url(each)).status_code == 403
    assert "Portal accesses" not in get_text(client.get(get_url(acme)))


def test_a_customers_page_links_to_its_accesses(admin_client: Client, acme: Customer, umbrella: Customer) -> None:
    create_access(None, umbrella)
    own = create_access(None, acme)
    link = f"{LIST}?customer={acme.pk}"
    assert f'<a href="{link}">Portal accesses</a>' in get_text(admin_client.get(get_url(acme)))
    response = admin_client.get(link)
    assert get_rows(response) == [own]
    by_customer = get_text(response).split("By customer")[1].split("</details>")[0]
    assert "Acme" in by_customer
    assert "Umbrella" not in by_customer
    assert "By customer" not in get_text(admin_client.get(LIST))


@pytest.mark.parametrize("key", ["999", "x", ""])
def test_an_unknown_customer_redirects_to_the_list(admin_client: Client, acme: Customer, key: str) -> None:
    assert admin_client.get(LIST, {"customer": key}).headers["Location"] == f"{LIST}?e=1"


def test_the_customer_filter_needs_the_permission_to_view_customers(auditor: Client, acme: Customer) -> None:
    assert auditor.get(LIST, {"customer": acme.pk}).headers["Location"] == f"{LIST}?e=1"
    client = sign_in(User.objects.get(username="audrey"), "view_portalaccess", "view_customer")
    assert "Acme" in get_text(client.get(LIST, {"customer": acme.pk}))


@pytest.mark.parametrize("method", ["has_view_permission", "get_queryset"])
def test_the_customer_filter_hides_customers_that_the_customer_admin_hides(
    admin_client: Client, acme: Customer, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    hides = {
        "has_view_permission": lambda self, request, obj=None: obj is None,
        "get_queryset": lambda self, request: Customer.objects.none(),
    }
    monkeypatch.setattr(CustomerAdmin, method, hides[method])
    assert admin_client.get(LIST, {"customer": acme.pk}).headers["Location"] == f"{LIST}?e=1"


def test_without_a_customer_admin_the_customer_filter_redirects(
    admin_client: Client, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    unregister(monkeypatch, Customer)
    assert admin_client.get(LIST, {"customer": acme.pk}).headers["Location"] == f"{LIST}?e=1"


@pytest.mark.parametrize(
    ("name", "value"), [("outcome", "denied"), ("via", "link"), ("role", "viewer"), ("impersonated", True)]
)
def test_accesses_are_filtered(auditor: Client, db: None, name: str, value: Any) -> None:
    create_access()
    wanted = create_access(**{name: value})
    lookup = f"{name}__exact"
    response = auditor.get(LIST, {lookup: int(value) if value is True else value})
    assert get_rows(response) == [wanted]
    # As a choice beside the list, not only as an address.
    assert f"?{lookup}=" in get_text(auditor.get(LIST))


def test_accesses_are_filtered_by_date(auditor: Client, db: None) -> None:
    create_access(at=datetime(2025, 1, 1, tzinfo=UTC))
    wanted = create_access()
    assert ("?at__year=2026" in get_text(auditor.get(LIST))) == connection.features.has_zoneinfo_database
    assert get_rows(auditor.get(LIST, {"at__year": 2026})) == [wanted]


@pytest.mark.parametrize("query", ["acme-1", "Zenith", "sess_9", "mia"])
def test_accesses_are_searched_by_alias_name_session_and_user(
    auditor: Client, manager: User, acme: Customer, umbrella: Customer, query: str
) -> None:
    Customer.objects.filter(pk=acme.pk).update(name="Zenith Ltd")
    wanted = create_access(manager, acme, session_id="sess_9")
    create_access(None, umbrella, session_id="sess_8")
    assert get_rows(auditor.get(LIST, {"q": query})) == [wanted]


def test_email_addresses_are_not_shown(auditor: Client, db: None) -> None:
    user = User.objects.create_user("mia@acme.example")
    customer = Customer.objects.create(alias="bill@acme.example")
    rows = [
        create_access(user, customer),
        create_access(None, None, user_key="gone@acme.example", customer_alias="left@acme.example"),
    ]
    listed = get_text(auditor.get(LIST))
    for name in (f"user {user.pk}", f"customer {customer.pk}", "user g…@acme.example (deleted)", "l…@acme.example"):
        assert f">{name}</td>" in listed
    for shown in (listed, *(get_text(auditor.get(get_url(row))) for row in rows)):
        assert re.findall(r"\w+@", shown) == []
    assert "b…@acme.example" in get_text(auditor.get(get_url(rows[0])))


def test_deleted_users_and_customers_are_shown_by_the_recorded_key(
    auditor: Client, manager: User, acme: Customer
) -> None:
    gone, nobody = create_access(manager, acme), create_access(outcome="denied", role="")
    key = manager.pk
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM alguna_portal_membership")
        cursor.execute("DELETE FROM auth_user WHERE id = %s", [key])
    acme.delete()
    shown = get_text(auditor.get(LIST))
    assert f">user {key} (deleted)</td>" in shown
    assert ">acme-1</td>" in shown
    assert f">user {key} (deleted)<" in get_text(auditor.get(get_url(gone))).replace("</div>", "<")
    assert get_text(auditor.get(get_url(nobody))).count('<div class="readonly">-</div>') >= 4


def test_the_number_of_queries_is_constant(auditor: Client, db: None) -> None:
    auditor.get(LIST)
    counts = []
    for number in (2, 20):
        for each in range(number):
            name = f"{number}-{each}"
            create_access(User.objects.create_user(name), Customer.objects.create(alias=name))
        with CaptureQueriesContext(connection) as queries:
            assert len(get_rows(auditor.get(LIST))) >= number
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert [query["sql"].count("COUNT(") for query in queries].count(1) == 1


def test_a_customer_with_accesses_can_be_deleted(admin_client: Client, acme: Customer) -> None:
    each = create_access(None, acme)
    delete = get_url(acme, "delete")
    assert admin_client.post(delete, {"post": "yes"}).status_code == 302
    each.refresh_from_db()
    assert (each.customer, each.customer_alias) == (None, "acme-1")


def test_without_time_zone_tables_there_is_no_date_hierarchy(auditor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    create_access()
    monkeypatch.setattr(type(connection.features), "has_zoneinfo_database", False)
    page = get_text(auditor.get(LIST))
    assert "?at__" not in page
    assert "paginator" in page


def test_without_a_link_admin_the_links_number_is_shown(
    admin_client: Client, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = send_link(customer)
    each = create_access(None, customer, link=link)
    assert f">{link.pk}</a>" in get_text(admin_client.get(get_url(each)))
    unregister(monkeypatch, PortalLink)
    assert f'<div class="readonly">{link.pk}</div>' in get_text(admin_client.get(get_url(each)))
