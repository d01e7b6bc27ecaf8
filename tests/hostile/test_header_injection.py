"""Header injection: line breaks in names, notes, aliases and addresses add no headers."""

import csv
from email import message_from_bytes, policy
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from pytest_django import Settings

from alguna_portal.access import Access
from alguna_portal.links import send_link, send_links
from alguna_portal.models import Customer, PortalAccess
from tests.conftest import FakeApi
from tests.support.clients import BILLING, FORMS, sign_in
from tests.support.emails import get_sent_emails

BREAKS = ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\t\n "]
if connection.vendor != "postgresql":  # which stores no NUL
    BREAKS.append("\x00")
INJECTED = "Bcc: eve@evil.example"


@pytest.mark.parametrize("end", BREAKS)
def test_names_and_notes_add_no_email_headers(customer: Customer, settings: Settings, end: str) -> None:
    """The email has one recipient and one subject, and the note stays in its body."""
    plain = send_link(customer, note="Hello")
    names = get_sent_emails()[0].message().keys()
    customer.name = f"Acme{end}{INJECTED}{end}{end}<html>"
    injected = send_link(customer, note=f"Hello{end}{INJECTED}{end}{end}.{end}")
    mail = message_from_bytes(get_sent_emails()[1].message().as_bytes(), policy=policy.default)
    assert sorted(mail.keys()) == sorted(names)
    assert mail["To"] == plain.recipient == injected.recipient
    assert mail["Bcc"] is None
    assert mail["Subject"].splitlines() == [mail["Subject"]]
    assert "Acme Bcc: eve@evil.example <html>" in mail["Subject"]
    assert get_sent_emails()[1].recipients() == [customer.email]


@pytest.mark.parametrize("end", BREAKS)
def test_addresses_add_no_recipients(customer: Customer, end: str) -> None:
    """An invalid address is rejected before anything is sent, and doesn't stop a batch."""
    for address in (
        f"a@acme.example{end}{INJECTED}",
        f"a{end}{INJECTED}@acme.example",
        f"a@acme.example,{end}b@x.example",
    ):
        with pytest.raises(ValidationError):
            send_link(customer, to=address)
        bad = Customer(pk=customer.pk, alias="bad", email=address)
        bad._state.adding = False
        posted = send_links([bad, customer])
        assert [kind for _customer, kind in posted.failed] == ["ValidationError"]
        assert len(posted.sent) == 1
    assert [message.recipients() for message in get_sent_emails()] == [[customer.email]] * 3


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("end", ["\r\n", "\n", "\u2028", "\x00"])
def test_customer_texts_add_no_response_headers(
    alguna: FakeApi, non_member: User, settings: Settings, form: str, end: str
) -> None:
    """Aliases, plans, names and choices, of one customer or several, also on failures."""

    def evil(request: Any) -> list[Access]:
        text = f"a{end}Set-Cookie: a=b"
        several = request.GET.get("several")
        return [Access(customer=Customer(alias=f"{text}{n}", name=text, plan=text)) for n in range(2 if several else 1)]

    settings.ALGUNA_PORTAL_CUSTOMER_RESOLVER = evil
    client = sign_in(non_member)
    alguna.fail(503, Retry_After="7")
    for query in ("fresh=1", "", "several=1", f"customer={end}Set-Cookie:", "fresh=1%0d%0aSet-Cookie: a=b"):
        response = client.get(f"{BILLING}?{query}", headers=FORMS[form])
        assert response.status_code in (200, 302, 403, 409, 503)
        assert "Set-Cookie" not in response.headers
        for name, value in response.headers.items():
            assert (name + value).isascii()
            assert (name + value).isprintable()


def test_retry_after_is_parsed_and_not_copied(alguna: FakeApi, manager: User) -> None:
    for wait in ("7\r\nSet-Cookie: a=b", "7; url=https://evil.example", "\u0667", "1e3", "-1", "9" * 400, "nan"):
        alguna.fail(503, Retry_After=wait)
        for headers in FORMS.values():
            response = sign_in(manager).get(BILLING, headers=headers)
            assert response.get("Retry-After", "30").isdigit()
            assert len(response.get("Retry-After", "30")) <= 5


FORMULAS = [
    "=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("https://evil.example")', "=cmd|' /C calc'!A0",
]  # fmt: skip


@pytest.mark.parametrize("text", [*FORMULAS, *(f"a{end}=1" for end in BREAKS), 'a","=1', "a';=1", 'a"\r\n"=1'])
def test_texts_add_no_lines_or_formulas_to_the_csv_export(admin_client: Client, db: None, text: str) -> None:
    """Each row has the same number of cells, and no cell is a formula."""
    customer = Customer.objects.create(alias=f"{text}1", name=text)
    for at in (customer, None):
        PortalAccess.objects.create(customer=at, customer_alias=text, user_key=text, error=text[:99], session_id=text)
    keys = list(PortalAccess.objects.values_list("pk", flat=True))
    chosen = {"action": "export_as_csv", "_selected_action": keys}
    response = admin_client.post("/admin/alguna_portal/portalaccess/", chosen)
    name = response["Content-Disposition"]
    assert name.isascii()
    assert name.isprintable()
    content = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    head, *rows = csv.reader(StringIO(content, newline=""))
    assert [len(row) for row in rows] == [len(head)] * 2
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
