"""Oversized, deeply nested and invalid JSON, in responses from Alguna and in forms."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from alguna_portal.api.transport import LARGEST_BODY
from alguna_portal.models import Customer, PortalLink
from alguna_portal.testing import fake_alguna
from tests.conftest import FakeApi
from tests.support.clients import BILLING, EVIL, FORMS, customer_form, sign_in
from tests.support.emails import get_link_path

GOOD = {
    "id": "s1",
    "customer_id": "cust_1",
    "url": "https://portal.alguna.io/hs/1",
    "created_at": "2026-04-01T10:00:00Z",
    "expires_at": "2026-04-01T11:00:00Z",
}
WHOLE = json.dumps(GOOD)
DEEP = 100_000

BODIES = {
    "deep lists": "[" * DEEP,
    "closed lists": "[" * DEEP + "]" * DEEP,
    "deep objects": '{"a":' * DEEP + "1" + "}" * DEEP,
    "deep beside": WHOLE[:-1] + ', "more": ' + "[" * DEEP + "]" * DEEP + "}",
    "deep in a field": json.dumps(GOOD | {"url": 0}).replace("0}", "[" * 900 + "]" * 900 + "}"),
    "large": json.dumps(GOOD | {"more": "x" * (2 * LARGEST_BODY)}),
    "long number": WHOLE[:-1] + f', "more": {"9" * 5000}}}',
    "long url": json.dumps(GOOD | {"url": GOOD["url"] + "x" * 100_000}),
    "number for a text": json.dumps(GOOD | {"id": 10**400}),
    "not a number": '{"id": NaN, "url": Infinity, "customer_id": -Infinity}',
    "text, not an object": json.dumps(WHOLE),
    "given twice": WHOLE[:-1] + ', "url": "https://evil.example/"}',
    "utf-7": "+AHs-+ACI-id+ACI-:1+AH0-",
    "half": WHOLE[:-20],
    "and more": WHOLE + WHOLE,
    "with a comment": WHOLE + "// x",
    "only a mark": "\ufeff",
    "nul": WHOLE + "\x00",
    "surrogates": WHOLE.replace("https://portal.alguna.io/hs/1", "https://portal.alguna.io/\\ud800"),
    "times": json.dumps(GOOD | {"created_at": "0001-01-01T00:00:00+23:59", "expires_at": "x"}),
    "times backwards": json.dumps(GOOD | {"expires_at": "0001-01-01T00:00:00+23:59"}),
}  # fmt: skip


@pytest.mark.parametrize("status", [200, 201, 404, 503])
@pytest.mark.parametrize("kind", BODIES)
def test_invalid_responses_from_alguna_cause_no_errors(
    alguna: FakeApi, manager: User, link: PortalLink, kind: str, status: int
) -> None:
    """Billing in each format and emailed links return 502, or 503 if Alguna did."""
    responses: list[Any] = []
    for headers in FORMS.values():
        alguna.fail(status, BODIES[kind])
        responses.append(sign_in(manager).get(BILLING, headers=headers))
    alguna.fail(status, BODIES[kind])
    responses.append(Client().post(get_link_path(link)))
    for response in responses:
        assert response.status_code == (502 if status < 500 else 503) or (response.status_code, kind) == (502, "large")
        assert EVIL not in response.content.decode() + str(response.headers)
        assert len(response.content) < 10_000


def test_the_longest_possible_session_is_cached(alguna: FakeApi, manager: User) -> None:
    """No overflow."""
    life = {"created_at": "0001-01-01T00:00:00+23:59", "expires_at": "9999-12-31T23:59:59-23:59"}
    alguna.fail(200, json.dumps(GOOD | life))
    for _ in range(2):
        assert sign_in(manager).get(BILLING)["Location"] == GOOD["url"]
    assert len(alguna.requests) == 1


@pytest.mark.parametrize("kind", ["deep lists", "deep beside", "large", "long number", "not a number", "half"])
def test_the_admin_page_works_if_the_lookup_fails(
    alguna: FakeApi, admin_client: Client, acme: Customer, kind: str
) -> None:
    alguna.http.add("GET", "https://api.alguna.io/customers/lookup", body=BODIES[kind], status=200)
    response = admin_client.get(reverse("admin:alguna_portal_customer_change", args=[acme.pk]))
    assert response.status_code == 200
    assert "Unknown: " in response.content.decode()


SETTINGS = [
    "[" * DEEP, "[" * 900 + "]" * 900, '{"plan_overview_settings": ' * 900 + "{}" + "}" * 900, '{"a":' * DEEP,
    "1" * 5000, '{"plan_overview_settings": {"show_section": ' + "1" * 5000 + "}}", '{"\\ud800": 1}', '"\\ud800"',
    '{"plan_overview_settings": {"\\u0000": true}}', '{"plan_overview_settings": {"show_section": NaN}}', "NaN",
    "-Infinity", '{"plan_overview_settings": {"show_section": 1e999}}',
    json.dumps({f"section {n}": {} for n in range(2000)}), json.dumps({"x" * 1_000_000: {}}),
    '{"plan_overview_settings": {"show_section": true}, "plan_overview_settings": 1}',
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_the_admin_rejects_invalid_portal_settings(admin_client: Client, acme: Customer, number: int) -> None:
    """The form shows the error at the field, and nothing is stored."""
    fields = customer_form(name="Changed", plan="starter", portal_settings=SETTINGS[number])
    with fake_alguna():
        response = admin_client.post(reverse("admin:alguna_portal_customer_change", args=[acme.pk]), fields)
    assert response.status_code == 200
    assert list(response.context["adminform"].form.errors) == ["portal_settings"]
    acme.refresh_from_db()
    assert (acme.name, acme.portal_settings) == ("Acme", {})


@pytest.mark.parametrize("kind", ["application/json", "application/problem+json", "text/json", "text/plain", ""])
def test_billing_does_not_parse_json_bodies(alguna: FakeApi, manager: User, kind: str) -> None:
    client = sign_in(manager)
    for body in ("[" * DEEP, "1" * 5000, "x" * 3_000_000, '{"customer": "other"}', "\x00", "{"):
        response = client.generic("POST", BILLING, body.encode(), content_type=kind)
        assert response["Location"] == alguna.url(1)


def test_oversized_forms_are_rejected(alguna: FakeApi, manager: User, settings: Settings) -> None:
    """By Django's limits, before a call to Alguna."""
    client = sign_in(manager)
    many = "&".join(f"a{n}=1" for n in range(settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 1))
    for body in (many, "a=" + "x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)):
        assert client.generic("POST", BILLING, body, "application/x-www-form-urlencoded").status_code == 400
    assert client.get(f"{BILLING}?{many}").status_code == 400
    assert alguna.requests == []
