"""Lists of what has happened: gone through by date, where the database can tell dates, and written by nobody here."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote, unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connections, transaction
from django.db.models import Model
from django.forms.fields import InvalidJSONInput
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from alguna_portal.models import Customer
from alguna_portal.models.portal_link import mask_email
from alguna_portal.transactions import non_atomic

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


# --- from alguna_portal.admin.naming


def person(user: "AbstractBaseUser | None", key: str) -> str:
    """Name a user; one who has been deleted, or was nobody's row, by the key that was kept of them."""
    if user is None:
        return _("user %(key)s (deleted)") % {"key": mask_email(key)} if key else ""
    name = user.get_username()
    return _("user %(key)s") % {"key": mask_email(str(user.pk))} if "@" in name else name


def company(customer: Customer) -> str:
    """Name a customer."""
    name = str(customer)
    return _("customer %(key)s") % {"key": customer.pk} if "@" in name else name


def page_of(row: Model, site: AdminSite) -> str:
    """Give the address of a row's page; nothing where this admin has none."""
    meta = row._meta
    if not site.is_registered(meta.model):
        return ""
    name = f"admin:{meta.app_label}_{meta.model_name}_change"
    return reverse(name, args=[quote(row.pk)], current_app=site.name)


# --- from alguna_portal.admin.json_field


class JSONField(forms.JSONField):
    """JSON that can be stored and shown again: no endless nesting or number, and no half of a surrogate pair."""

    def to_python(self, value: Any) -> Any:
        """Read what was typed; refuse what cannot be written again."""
        try:
            return _writable(lambda: super(JSONField, self).to_python(value))
        except (RecursionError, ValueError):
            raise ValidationError(self.error_messages["invalid"], code="invalid", params={"value": value}) from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what to show again: as it was typed, where it was refused."""
        try:
            return _writable(lambda: super(JSONField, self).bound_data(data, initial))
        except (RecursionError, ValueError):
            return InvalidJSONInput(data)


def _writable(read: Callable[[], Any]) -> Any:
    value = read()
    # As it is shown, and sent to the database.
    json.dumps(value, ensure_ascii=False).encode()
    return value


# --- from alguna_portal.admin.transactions

if TYPE_CHECKING:
    ModelAdminBase = admin.ModelAdmin[Any]
else:
    ModelAdminBase = admin.ModelAdmin


class CommittingAdmin(ModelAdminBase):
    """A list whose page runs outside of transactions for some of its actions, and for the rest as the host has it."""

    committing_actions: frozenset[str] = frozenset()

    def get_urls(self) -> list[URLPattern]:
        """Mark the list's page. Which action is meant is known only in it."""
        patterns = super().get_urls()
        for pattern in patterns:
            if pattern.name == f"{self.opts.app_label}_{self.opts.model_name}_changelist":
                non_atomic(pattern.callback)
        return patterns

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Do in a transaction what is not one of these actions, where the host wants that of requests."""
        with ExitStack() as stack:
            if not self.committing_actions & set(request.POST.getlist("action")):
                for alias, database in connections.settings.items():
                    if database["ATOMIC_REQUESTS"]:
                        stack.enter_context(transaction.atomic(using=alias))
            return super().changelist_view(request, extra_context)


# --- from alguna_portal.admin.pages


class PagesAdmin(CommittingAdmin):
    """An admin whose rows have more pages than Django gives them."""

    def page_of(self, row: Model) -> str:
        """Give the address of the page of any row; nothing where this site has none."""
        return page_of(row, self.admin_site)

    def door_of(self, name: str, row: Model) -> str:
        """Give the address of one of the pages that a row has here."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}"
        return reverse(name, args=[quote(row.pk)], current_app=self.admin_site.name)

    def _door(self, name: str, view: Callable[..., HttpResponse]) -> URLPattern:
        """Give the pattern of such a page, which belongs before Django's own: that takes any path."""
        route = f"<path:object_id>/{name.replace('_', '-')}/"
        full_name = f"{self.opts.app_label}_{self.opts.model_name}_{name}"
        return path(route, non_atomic(self.admin_site.admin_view(view)), name=full_name)

    def _row(self, request: HttpRequest, object_id: str, may: Callable[[Any], bool]) -> Any:
        """Find the row of such a page; refuse those who may not have it, before they learn whether there is one."""
        row = self.get_object(request, unquote(object_id))
        if not may(row):
            raise PermissionDenied
        if row is None:
            raise Http404
        return row


class RecordsAdmin(ModelAdminBase):
    """A list with a `date_hierarchy`, of rows that are only looked at."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Rows come from what happens, not from here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nobody corrects what has happened."""
        return False

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Go without on MySQL and MariaDB whose time zone tables are empty: there the whole page would be an error."""
        changes = super().get_changelist_instance(request)
        if not connections[changes.queryset.db].features.has_zoneinfo_database:
            changes.date_hierarchy = None
        return changes
