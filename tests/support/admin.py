"""Helpers for tests of the admin: sign-in, URLs, actions with their confirmation pages, and what pages show."""

import html
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.db import OperationalError
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alguna_portal.models import Customer, PortalAccess, PortalLink, WebhookDelivery

# The messages about links that a time limit has left out.
_REASON = "since mailing takes too long for one request"
UNTRIED_ONE = f"1 portal link was not tried, {_REASON}: %s. Try it again, or set ALGUNA_PORTAL_USE_TASKS."
UNTRIED = f"%d portal links were not tried, {_REASON}: %s. Try them again, or set ALGUNA_PORTAL_USE_TASKS."

AT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
RECEIVED_AT = datetime(2026, 5, 6, 7, 8, tzinfo=UTC)
PERSONAL = "anna@acme.example"


def sign_in(user: User, *permissions: str) -> Client:
    """Make a user a member of staff with these permissions alone, and return a signed-in client."""
    user.is_staff = True
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def unregister(monkeypatch: pytest.MonkeyPatch, model: type[Model]) -> None:
    """Remove a model from the admin."""
    registry: Any = admin.site._registry
    monkeypatch.delitem(registry, model)


def get_list_url(model: type[Model], page: str = "changelist") -> str:
    """Return the URL of a model's changelist, or of another page without an object."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}")


def get_url(obj: Model, page: str = "change") -> str:
    """Return the URL of an object's change page, or of another page of the object."""
    return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_{page}", args=[obj.pk])


def run_action(client: Client, action: str, *objects: Model, query: str = "", **more: Any) -> Any:
    """Select objects in their changelist and run an action; follow its redirect."""
    fields = {"action": action, "_selected_action": [obj.pk for obj in objects], "index": 0, "select_across": 0}
    return client.post(get_list_url(type(objects[0])) + query, {**fields, **more}, follow=True)


def confirm(client: Client, page: Any, **chosen: str) -> Any:
    """Submit a confirmation page with its hidden fields; follow the redirect."""
    fields: dict[str, list[str]] = {}
    for name, value in page.context["fields"]:
        assert f'<input type="hidden" name="{name}" value="{value}">' in get_text(page)
        fields.setdefault(name, []).append(value)
    entered = {"role": "manager", "note": "", "confirmed": "Yes"} | chosen
    return client.post(page.request["PATH_INFO"], {**fields, **entered}, follow=True)


def run_confirmed_action(client: Client, action: str, *objects: Model, **chosen: str) -> list[tuple[str, str]]:
    """Run an action, submit its confirmation page, and return the messages."""
    return get_messages(confirm(client, run_action(client, action, *objects), **chosen))


def get_text(response: Any) -> str:
    """Return the content of a page with unescaped entities."""
    return html.unescape(response.content.decode())


def get_messages(response: Any) -> list[tuple[str, str]]:
    """Return the level and text of each message on a page."""
    return [(message.level_tag, str(message)) for message in response.context["messages"]]


def get_rows(response: Any) -> list[Any]:
    """Return the objects in a changelist."""
    return list(response.context["cl"].result_list)


def get_history() -> set[tuple[str | None, str]]:
    """Return the object id and text of all history entries."""
    return {(entry.object_id, entry.get_change_message()) for entry in LogEntry.objects.all()}


def get_recipients() -> list[str]:
    """Return the recipient of each email."""
    return [message.to[0] for message in mail.outbox]


def render_customer(customer: Customer) -> str:
    """Return a customer's name as messages and confirmation pages show it, with a link to its page."""
    return f'<a href="{get_url(customer)}" class="alguna-portal-named">{customer.name}</a>'


def create_form_data(**fields: Any) -> dict[str, Any]:
    """Return the data of a customer's form, without memberships unless given."""
    names = ["name", "alias", "customer_id", "email", "currency", "plan"]
    formset = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    return dict.fromkeys(names, "") | {"portal_settings": "{}"} | formset | fields


def create_link(customer: Customer, **fields: Any) -> PortalLink:
    """Store an active link unless other values are given."""
    now = timezone.now()
    values = {
        "recipient": "billing@acme.example",
        "role": "manager",
        "created_at": now,
        "sent_at": now,
        "expires_at": now + timedelta(days=7),
        "renewable_until": now + timedelta(days=90),
    }
    return PortalLink.objects.create(customer=customer, **{**values, **fields})


def create_access(user: User | None = None, customer: Customer | None = None, **fields: Any) -> PortalAccess:
    """Store an access, as `audit` does."""
    values = {
        "at": AT,
        "user": user,
        "user_key": str(user.pk) if user else "",
        "customer": customer,
        "customer_alias": customer.alias if customer else "",
        "via": "view",
        "role": "manager",
        "outcome": "opened",
    }
    return PortalAccess.objects.create(**{**values, **fields})


def create_delivery(**fields: Any) -> WebhookDelivery:
    """Store a delivery that wasn't handled, with an email address in its payload."""
    number = WebhookDelivery.objects.count() + 1
    payload = f'{{"accountId": "cust_1", "email": "{PERSONAL}"}}'
    values = {"message_id": f"msg_{number}", "type": "invoice.paid", "sent_at": RECEIVED_AT, "payload": payload}
    return WebhookDelivery.objects.create(
        **{**values, "received_at": RECEIVED_AT + timedelta(minutes=number), **fields}
    )


def fail_at_call(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, number: int, error: Exception | None = None
) -> None:
    """Raise an error, a database error by default, in call `number` of a function or method, counted from 1."""
    function = getattr(owner, name)
    calls = count(1)

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == number:
            raise error or OperationalError("lost")
        return function(*args, **kwargs)

    monkeypatch.setattr(owner, name, call)
