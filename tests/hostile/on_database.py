"""Attacks on a real database: run by test_databases.py in a separate process, which prints the results as JSON."""

import json
import logging
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.test.utils import setup_test_environment

from alguna_portal.customers import Provisioned
from alguna_portal.customers.provisioning import store_customer_id
from alguna_portal.exceptions import AlgunaError
from alguna_portal.links import send_link
from alguna_portal.links.emails import get_link_url
from alguna_portal.models import Customer, Membership
from alguna_portal.testing import fake_alguna
from tests.hostile.lookalikes import ACME, ALIKE
from tests.support.clients import customer_form

ADMIN = "/admin/alguna_portal"
ODD = ["%00", "1%00", "%25", "_", "%5C", "'", "%22", "%ED%A0%80", "%F0%9F%98%80", "9" * 40, "-1", "1e9", "a+" * 300]
NUL = ["a\x00b", "\x00", "\U0001f600", '{"\\u0000": 1}', '{"invoice_list_settings": {"\\u0000": true}}']


def main() -> None:
    """Run all attacks and print the results."""
    setup_test_environment()
    call_command("migrate", verbosity=0)
    # MariaDB can't convert time zones unless its time zone tables are loaded.
    settings.USE_TZ = True
    settings.TIME_ZONE = "UTC"
    settings.ALGUNA_PORTAL_AUDIT = True
    logging.disable(logging.CRITICAL)
    with fake_alguna():
        print(json.dumps(run_attacks()))  # noqa: T201


def run_attacks() -> dict[str, Any]:
    """Run all attacks and return the results."""
    acme = Customer.objects.create(alias=ACME, name="Acmé", email="billing@acme.example", currency="EUR")
    mia = User.objects.create_user("mia")
    Membership.objects.create(user=mia, customer=acme)
    member, boss = Client(), Client()
    member.force_login(mia)
    boss.force_login(User.objects.create_superuser("boss"))
    asked, errors = send_requests(member, boss, acme)
    results = {"asked": asked, "errors": errors}
    results["alike"] = {kind: try_alias(alias) for kind, alias in ALIKE.items()}
    results["typed"] = {kind: try_admin_form(boss, alias) for kind, alias in ALIKE.items()}
    results["stored"] = {kind: try_store_customer_id(alias) for kind, alias in ALIKE.items()}
    results["found"] = search_wildcards(boss)
    results["alias"] = Customer.objects.get(pk=acme.pk).alias
    return results


def create_form(**changed: str) -> dict[str, Any]:
    """Return the data of the admin's form for the customer."""
    return customer_form(**{"name": "Acmé", "alias": ACME, "currency": "EUR"} | changed)


def send_requests(member: Client, boss: Client, acme: Customer) -> tuple[int, list[str]]:
    """Send unusual requests; return how many were sent, and those that caused an error."""
    token = get_link_url(send_link(acme)).rstrip("/").rpartition("/")[2]
    gets = [(member, f"/billing/?customer={odd}") for odd in ODD]
    for odd in ODD:
        gets += [(member, f"/billing/link/{each}/") for each in (odd, token + odd, f"{odd}.{token.partition('.')[2]}")]
        for model in ("customer", "portallink", "portalaccess"):
            gets += [(boss, f"{ADMIN}/{model}/?{name}={odd}") for name in ("q", "customer", "state", "e")]
            gets.append((boss, f"{ADMIN}/{model}/{odd}/change/"))
        gets += [(boss, f"{ADMIN}/customer/{odd}/{page}/") for page in ("send-portal-link", "create-in-alguna")]
    errors = [address for client, address in gets if is_error(lambda: client.get(address))]  # noqa: B023
    posts = [
        (f"{ADMIN}/customer/{acme.pk}/change/", create_form(**{name: odd}))
        for name in ("name", "alias", "customer_id", "email", "currency", "plan", "portal_settings")
        for odd in NUL
    ]
    link = {"to": "x@acme.example", "role": "viewer", "note": ""}
    posts += [(f"{ADMIN}/customer/{acme.pk}/send-portal-link/", link | {name: odd}) for name in link for odd in NUL]
    errors += [f"{address} {data}" for address, data in posts if is_error(lambda: boss.post(address, data))]  # noqa: B023
    Customer.objects.filter(pk=acme.pk).update(alias=ACME, customer_id=None)
    return len(gets) + len(posts), errors


def is_error(ask: Any) -> bool:
    """Return whether a request causes a server error or an exception."""
    try:
        return bool(ask().status_code >= 500)
    except Exception:  # noqa: BLE001  (whatever it is)
        return True


def try_alias(alias: str) -> str:
    """Create a customer with a look-alike alias; return whether its member can open only its own portal."""
    try:
        with transaction.atomic():
            customer = Customer.objects.create(alias=alias)
    except IntegrityError:
        return "IntegrityError"
    eve = User.objects.create_user("eve")
    Membership.objects.create(user=eve, customer=customer)
    client = Client()
    client.force_login(eve)
    refused = client.get("/billing/", {"customer": Customer.objects.get(name="Acmé").pk}).status_code == 403
    opens = (
        client.get("/billing/").status_code == 302 and customer.accesses.get(outcome="opened").customer_alias == alias
    )
    eve.delete()
    customer.delete()
    return f"{'refused' if refused else 'not refused'}, {'opens its own' if opens else 'does not open'}"


def try_admin_form(boss: Client, alias: str) -> str:
    """Enter a look-alike alias in the admin's form for a new customer; return the result."""
    response = boss.post(f"{ADMIN}/customer/add/", create_form(alias=alias, name="Alike"))
    Customer.objects.filter(name="Alike").delete()
    if response.status_code == 302:
        return "stored"
    return f"refused: {', '.join(response.context['adminform'].form.errors)}"


def try_store_customer_id(alias: str) -> str:
    """Replace an alias by a look-alike during a call to Alguna; return the result of storing the id."""
    asked = Customer.objects.create(alias=f"{ACME}-2")
    Customer.objects.filter(pk=asked.pk).update(alias=f"{alias}-2")
    try:
        came = str(store_customer_id(asked, "cust_1", Provisioned.ADOPTED))
    except AlgunaError as exc:
        came = type(exc).__name__
    kept = Customer.objects.get(pk=asked.pk).customer_id
    asked.delete()
    return f"{came}, {kept}"


def search_wildcards(boss: Client) -> dict[str, list[str]]:
    """Search the admin for wildcards; return the names found."""
    for name in ("100% Ltd", "snake_case", "back\\slash", "Plain"):
        Customer.objects.create(alias=f"alias of {name}".replace("%", "").replace("_", "").replace("\\", ""), name=name)
    searches = {wild: boss.get(f"{ADMIN}/customer/", {"q": wild}) for wild in ("%", "_", "\\")}
    return {wild: [each.name for each in page.context["cl"].queryset] for wild, page in searches.items()}
