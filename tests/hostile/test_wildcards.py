"""SQL wildcards and NUL characters are treated literally and find no other rows."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alguna_portal.customers import Provisioned, provision
from alguna_portal.links import get_link_by_token
from alguna_portal.models import Customer, PortalLink
from alguna_portal.testing import FakeAlguna
from tests.conftest import FakeApi
from tests.support.clients import BILLING, sign_in
from tests.support.emails import get_link_path

WILD = [
    "%", "_", "\\", "%%", "____", "a%", "a___-_", "%acme%", "acme-_", "*", "?", "[a]cme-1", ".*", "acme.1", "'",
    "';--",
]  # fmt: skip


@pytest.mark.parametrize("wild", WILD)
def test_wildcards_in_tokens_find_no_link(alguna: FakeApi, link: PortalLink, wild: str) -> None:
    key, _dot, signature = get_link_path(link).rstrip("/").rpartition("/")[2].partition(".")
    for token in (
        wild,
        f"{wild}.{signature}",
        f"{key}.{wild}",
        f"{key[:-1]}{wild}.{signature}",
        f"{key}{wild}.{signature}",
    ):
        assert get_link_by_token(token) is None
        assert Client().post(f"/billing/link/{token}/").status_code == 404
    assert alguna.requests == []


@pytest.mark.parametrize("model", ["customer", "portallink", "portalaccess"])
def test_admin_searches_treat_wildcards_literally(admin_client: Client, model: str) -> None:
    names = {"%": "100% Ltd", "_": "snake_case", "\\": "back\\slash", "a": "Plain"}
    for name in names.values():
        customer = Customer.objects.create(alias=f"alias of {name}", name=name)
        customer.accesses.create(customer_alias=customer.alias, via="view", outcome="opened")
        customer.links.create(
            recipient="x@y.example", role="viewer", expires_at="2030-01-01T00:00Z", renewable_until="2030-01-01T00:00Z"
        )
    for wild in ("%", "_", "\\"):
        listed = admin_client.get(f"/admin/alguna_portal/{model}/", {"q": wild})
        found = listed.context["cl"].queryset
        assert [str(getattr(each, "customer", each)) for each in found] == [names[wild]]
    assert not admin_client.get(f"/admin/alguna_portal/{model}/", {"q": "%a%"}).context["cl"].queryset


def test_recipients_are_found_only_by_the_whole_address(admin_client: Client, link: PortalLink) -> None:
    for guess in ("b%@acme.example", "billing@acme.exampl_", "%", "billing@", "acme.example"):
        assert not admin_client.get("/admin/alguna_portal/portallink/", {"q": guess}).context["cl"].queryset
    whole = admin_client.get("/admin/alguna_portal/portallink/", {"q": link.recipient})
    assert list(whole.context["cl"].queryset) == [link]


@pytest.mark.parametrize(
    "alias", ["acme%", "acme_1", "%", "_", "acme*", "acme-1&alias=acme-1", "acme-1#", "../customers", "a/b?c=d"]
)
def test_aliases_with_wildcards_are_looked_up_literally(empty_fake: FakeAlguna, acme: Customer, alias: str) -> None:
    Customer.objects.update(currency="EUR")
    acme.refresh_from_db()
    assert provision(acme) is Provisioned.CREATED
    wild = Customer.objects.create(alias=alias, name="Wild", currency="EUR")
    assert provision(wild) is Provisioned.CREATED
    assert wild.customer_id != acme.customer_id


@pytest.mark.parametrize("nul", ["\x00", "1\x00", "\x001", "a\x00b"])
def test_nul_characters_cause_no_errors(
    alguna: FakeApi, admin_client: Client, manager: User, link: PortalLink, nul: str
) -> None:
    """PostgreSQL rejects them; test_databases.py tests the databases themselves."""
    assert sign_in(manager).get(BILLING, {"customer": nul}).status_code == 403
    assert Client().post(f"/billing/link/{nul}/").status_code == 404
    for model in ("customer", "portallink", "portalaccess"):
        assert admin_client.get(f"/admin/alguna_portal/{model}/", {"q": nul}).status_code == 200
        assert admin_client.get(f"/admin/alguna_portal/{model}/{nul}/change/", follow=True).status_code == 200
        assert admin_client.get(f"/admin/alguna_portal/{model}/", {"customer": nul}, follow=True).status_code == 200
