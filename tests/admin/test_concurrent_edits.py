"""Concurrent edits of a customer: values that others store while the form is open are kept."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db.models.signals import pre_save
from django.test import Client

from alguna_portal.admin import CustomerAdmin
from alguna_portal.models import Customer
from tests.support.admin import create_form_data, get_list_url, get_text, get_url

LIST = get_list_url(Customer)

pytestmark = pytest.mark.usefixtures("fake_with_all_customers")


def get_form_data(client: Client, customer: Customer) -> dict[str, Any]:
    """Open a customer's page, and return the data that its form would submit."""
    page = client.get(get_url(customer))
    shown = page.context["adminform"].form
    fields = {name: shown[name].value() or "" for name in shown.fields}
    initial = {shown[name].html_initial_name: fields[name] for name in fields if shown[name].field.show_hidden_initial}
    for name, value in initial.items():
        assert f'<input type="hidden" name="{name}"' in get_text(page)
        assert not value or f'value="{value}"' in get_text(page)
    return create_form_data(**fields, **initial)


@pytest.fixture
def stored_while_saving() -> Iterator[None]:
    """Let a worker store an id and a plan between the validation and the saving of the form."""

    def store(instance: Customer, **kwargs: object) -> None:
        Customer.objects.filter(pk=instance.pk).update(customer_id="cust_new", plan="growth")

    pre_save.connect(store, sender=Customer)
    yield
    pre_save.disconnect(store, sender=Customer)


def test_an_id_stored_while_the_form_is_open_is_kept(admin_client: Client, acme: Customer) -> None:
    fields = get_form_data(admin_client, acme)
    Customer.objects.filter(pk=acme.pk).update(customer_id="cust_new")
    assert admin_client.post(get_url(acme), fields | {"name": "Acme Ltd"}).status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.customer_id) == ("Acme Ltd", "cust_new")


def test_values_stored_while_the_form_is_saved_are_kept(
    admin_client: Client, acme: Customer, stored_while_saving: None
) -> None:
    fields = get_form_data(admin_client, acme)
    assert admin_client.post(get_url(acme), fields | {"name": "Acme Ltd"}).status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.customer_id, acme.plan) == ("Acme Ltd", "cust_new", "growth")


def test_a_rejected_form_keeps_its_initial_values(admin_client: Client, acme: Customer) -> None:
    fields = get_form_data(admin_client, acme)
    Customer.objects.filter(pk=acme.pk).update(customer_id="cust_new")
    refused = admin_client.post(get_url(acme), fields | {"currency": "ZZZ"})
    (hidden,) = re.findall('<input type="hidden" name="initial-customer_id"[^>]*>', get_text(refused))
    assert "cust_new" not in hidden
    admin_client.post(get_url(acme), fields)
    acme.refresh_from_db()
    assert acme.customer_id == "cust_new"


@pytest.mark.parametrize(("typed", "stored"), [("", None), ("cust_other", "cust_other"), ("cust_old", "cust_old")])
def test_an_id_can_be_emptied_and_changed(admin_client: Client, acme: Customer, typed: str, stored: str | None) -> None:
    Customer.objects.filter(pk=acme.pk).update(customer_id="cust_old")
    admin_client.post(get_url(acme), get_form_data(admin_client, acme) | {"customer_id": typed})
    acme.refresh_from_db()
    assert acme.customer_id == stored


def test_all_changed_fields_are_saved(admin_client: Client, acme: Customer) -> None:
    fields = {"name": "New", "alias": "new-1", "customer_id": "cust_1", "email": "new@acme.example"}
    fields |= {"currency": "EUR", "plan": "growth"}
    settings = {"invoice_list_settings": {"show_section": False}}
    sent = {"portal_settings": '{"invoice_list_settings": {"show_section": false}}'}
    admin_client.post(get_url(acme), get_form_data(admin_client, acme) | fields | sent)
    assert Customer.objects.values(*fields, "portal_settings").get() == fields | {"portal_settings": settings}


def test_values_set_by_a_subclass_before_saving_are_saved(
    admin_client: Client, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model = CustomerAdmin.save_model

    def with_plan(self: Any, request: Any, obj: Customer, form: Any, change: bool) -> None:
        obj.plan = "enterprise"
        obj.portal_settings["invoice_list_settings"] = {"show_section": True}
        save_model(self, request, obj, form, change)

    monkeypatch.setattr(CustomerAdmin, "save_model", with_plan)
    # A field that isn't in the form is taken from the object.
    monkeypatch.setattr(CustomerAdmin, "readonly_fields", [*CustomerAdmin.readonly_fields, "portal_settings"])
    admin_client.post(get_url(acme), get_form_data(admin_client, acme))
    acme.refresh_from_db()
    assert acme.plan == "enterprise"
    assert acme.portal_settings == {"invoice_list_settings": {"show_section": True}}


def test_a_read_only_id_is_kept(
    admin_client: Client, acme: Customer, monkeypatch: pytest.MonkeyPatch, stored_while_saving: None
) -> None:
    monkeypatch.setattr(CustomerAdmin, "readonly_fields", [*CustomerAdmin.readonly_fields, "customer_id"])
    fields = get_form_data(admin_client, acme)
    assert "initial-customer_id" not in fields
    assert admin_client.post(get_url(acme), fields | {"name": "Acme Ltd"}).status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.customer_id) == ("Acme Ltd", "cust_new")


def test_list_editable_works(admin_client: Client, acme: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin.site._registry[Customer], "list_editable", ["plan"])
    rows = {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "form-0-id": acme.pk, "form-0-plan": "growth"}
    assert admin_client.post(LIST, {**rows, "_save": "Save"}).status_code == 302
    acme.refresh_from_db()
    assert acme.plan == "growth"


def test_a_plan_stored_while_the_form_is_open_is_kept(admin_client: Client, acme: Customer) -> None:
    fields = get_form_data(admin_client, acme)
    Customer.objects.filter(pk=acme.pk).update(plan="growth")
    assert admin_client.post(get_url(acme), fields | {"name": "Acme Ltd"}).status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.plan) == ("Acme Ltd", "growth")
    assert admin_client.post(get_url(acme), fields | {"plan": "enterprise"}).status_code == 302
    acme.refresh_from_db()
    assert acme.plan == "enterprise"


def test_the_page_of_a_customer_deleted_during_the_request_opens(
    admin_client: Client, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_object = CustomerAdmin.get_object

    def get_and_delete(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = get_object(self, *args, **kwargs)
        Customer.objects.filter(pk=acme.pk).delete()
        return found

    monkeypatch.setattr(CustomerAdmin, "get_object", get_and_delete)
    page = admin_client.get(get_url(acme))
    assert page.status_code == 200
    assert get_text(page).count('<div class="readonly">-</div>') == 4
    assert "Send portal link" not in get_text(page)
