"""Repeated, unknown and misplaced parameters: the customer that is checked is the one that is opened."""

from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alguna_portal.models import Customer, Membership, PortalLink
from tests.conftest import FakeApi
from tests.support.clients import BILLING, FORMS, get_targets, sign_in
from tests.support.emails import get_link_path

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def other_customer(umbrella: Customer) -> Customer:
    """A customer of which the user isn't a member."""
    return umbrella


def get_opened(alguna: FakeApi) -> list[str]:
    """Return the aliases of the customers whose portals were opened."""
    return [body["customer_alias"] for body in alguna.bodies]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("glue", ["&", "&&", "&x=1&", "&customer=&"])
def test_repeated_choices_open_only_the_users_customer(
    alguna: FakeApi, manager: User, acme: Customer, other_customer: Customer, form: str, glue: str
) -> None:
    """In any order, and in any mixture of query and form."""
    own, foreign = f"customer={acme.pk}", f"customer={other_customer.pk}"
    client = sign_in(manager)
    headers = FORMS[form]
    responses: list[Any] = []
    for query in (own + glue + foreign, foreign + glue + own, foreign, own):
        responses.append(client.get(f"{BILLING}?{query}", headers=headers))
        responses.append(client.post(BILLING, query, FORM, headers=headers))
        responses += [client.post(f"{BILLING}?{also}", query, FORM, headers=headers) for also in (own, foreign)]
    assert {response.status_code for response in responses} == {302 if form == "page" else 200, 403}
    assert set(get_opened(alguna)) == {"acme-1"}
    for response in responses:
        if response.status_code != 403:
            assert set(get_targets(response)) <= {alguna.url(n) for n in range(1, 30)}


def test_the_last_value_of_a_parameter_counts(
    alguna: FakeApi, manager: User, acme: Customer, other_customer: Customer
) -> None:
    Membership.objects.create(user=manager, customer=other_customer)
    sign_in(manager).get(f"{BILLING}?customer={other_customer.pk}&customer={acme.pk}")
    sign_in(manager).post(f"{BILLING}?customer={acme.pk}", {"customer": [acme.pk, other_customer.pk]})
    assert get_opened(alguna) == ["acme-1", "umbrella-2"]
    client = sign_in(manager)
    url = f"{BILLING}?customer={acme.pk}"
    assert client.get(f"{url}&fresh=1&fresh=0")["Location"] == client.get(url)["Location"]
    before = client.get(url)["Location"]
    assert client.get(f"{url}&fresh=0&fresh=1")["Location"] != before


UNKNOWN = [
    "customer[]", "customer[0]", "customer.pk", "customer_id", "customer__pk", "customer__in", "Customer", "CUSTOMER",
    "customer ", " customer", "customer%00", "customer%20", "c%75stomers", "cu\u0455tomer", "alias",
    "customer_alias", "id", "org",
    "pk", "user", "user_id", "email", "choice", "access", "_alguna_portal_accesses", "organization", "account",
]  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_parameters_do_not_choose_a_customer(
    alguna: FakeApi, manager: User, other_customer: Customer, name: str
) -> None:
    client = sign_in(manager)
    for value in (other_customer.pk, other_customer.alias, other_customer.name):
        client.get(f"{BILLING}?{name}={value}")
        client.post(BILLING, f"{name}={value}", FORM)
        client.get(f"{BILLING}?{quote(name, safe='%')}={value}")
    assert get_opened(alguna) == ["acme-1"]


POWERS = {
    "role": "manager", "is_manager": "1", "plan": "enterprise", "allow_subscription_cancel": "true", "api_key": "x",
    "plan_overview_settings": '{"allow_subscription_cancel": true}', "portal_settings": "{}", "fresh[]": "1",
    "customer_alias": "umbrella-2", "is_superuser": "1", "debug": "1", "format": "json", "_method": "PUT",
}  # fmt: skip


def test_parameters_do_not_change_permissions(
    alguna: FakeApi, viewer: User, link: PortalLink, other_customer: Customer
) -> None:
    """The request to Alguna is the same with and without them."""
    sign_in(viewer).get(BILLING)
    sign_in(viewer).get(BILLING, POWERS | {"fresh": "1"})
    sign_in(viewer).post(BILLING, POWERS | {"fresh": "1"})
    plain, by_query, by_form = alguna.bodies
    assert plain["plan_overview_settings"]["allow_subscription_cancel"] is False
    assert plain == by_query == by_form
    Client().post(get_link_path(link))
    Client().post(
        f"{get_link_path(link)}?role=manager&customer={other_customer.pk}&fresh=1",
        POWERS | {"customer": other_customer.pk, "fresh": "1"},
    )
    assert alguna.bodies[3:] == [alguna.bodies[3]] * len(alguna.bodies[3:])
    assert alguna.bodies[3]["customer_alias"] == "acme-1"


def test_unknown_parameters_are_not_in_responses(alguna: FakeApi, manager: User, other_customer: Customer) -> None:
    Membership.objects.create(user=manager, customer=other_customer)
    for form, headers in FORMS.items():
        response = sign_in(manager).get(f"{BILLING}?x=<y>&customer=&utm=z", headers=headers)
        alguna.fail(503)
        failed = sign_in(manager).get(f"{BILLING}?customer={other_customer.pk}&x=<y>&utm=z&fresh=1", headers=headers)
        for each in (response, failed):
            assert "utm" not in each.content.decode() + str(each.headers), form


ACCEPT_HEADERS = [
    "application/json; a*=nope''b%41", "application/json; a*=\x00''b%41", "application/json; a*=hex''b%41",
    "application/json; q*=utf-8''x", "application/json; q=nan, text/html; q=inf", "application/json; q=" + "9" * 5000,
    "application/json;" * 3000, "application/json;a=" + "x" * 20_000, "application/json," * 3000,
    "," * 20_000 + "json", 'application/json; a="\\', "json/*;*/json", "\xe9/json",
]  # fmt: skip


@pytest.mark.parametrize("accept", ACCEPT_HEADERS)
def test_invalid_accept_headers_cause_no_errors(alguna: FakeApi, manager: User, accept: str) -> None:
    response = sign_in(manager).get(BILLING, headers={"Accept": accept})
    assert get_targets(response) == [alguna.url(1)]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=\xe9", b"x"),
        ("multipart/form-data; boundary=" + "x" * 500, b"x"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="customer"\r\n\r\n1'),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data\r\nContent-Transfer-Encoding: base64\r\n\r\n!",
        ),
        (f"{FORM}; charset=utf-16", b"a=b"),
        (FORM, b"%ff=%00&customer=%ed%a0%80"),
    ],
)
def test_invalid_bodies_cause_no_errors(
    alguna: FakeApi, manager: User, link: PortalLink, kind: str, body: bytes
) -> None:
    """Neither in the billing view nor on the page of an emailed link."""
    for client, address in ((sign_in(manager), BILLING), (Client(), get_link_path(link))):
        assert client.generic("POST", address, body, kind).status_code in (200, 302, 400, 403)
