"""Base classes of the model admins, and the display names, URLs and form fields that they share."""

import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.utils import quote, unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connections, transaction
from django.db.models import Model
from django.forms.fields import InvalidJSONInput
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from alguna_portal.models import Customer
from alguna_portal.redaction import mask_email
from alguna_portal.transactions import non_atomic

# A level of Django's messages framework, and a text.
Message = tuple[int, str]


class BaseAdmin(admin.ModelAdmin):
    """A model admin with extra pages for each object and with actions that run outside ATOMIC_REQUESTS."""

    # Each name adds the URL `<object_id>/<name>/`, which the method `<name>_view` serves.
    object_pages: tuple[str, ...] = ()
    # Actions that commit each step, since they call Alguna, send emails or revoke links.
    non_atomic_actions: frozenset[str] = frozenset()
    # A lookup that leads to a user, whose name can then be searched for.
    user_lookup = ""

    def get_urls(self) -> list[URLPattern]:
        """Add the object pages. If an action needs it, take the changelist out of ATOMIC_REQUESTS."""
        prefix = f"{self.opts.app_label}_{self.opts.model_name}"
        patterns = super().get_urls()
        for pattern in patterns:
            # Only the changelist itself knows which action was chosen.
            if self.non_atomic_actions and pattern.name == f"{prefix}_changelist":
                non_atomic(pattern.callback)
        pages = []
        for name in self.object_pages:
            view = non_atomic(self.admin_site.admin_view(getattr(self, f"{name}_view")))
            pages.append(path(f"<path:object_id>/{name.replace('_', '-')}/", view, name=f"{prefix}_{name}"))
        # Django's last pattern matches any path.
        return [*pages, *patterns]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Run all but the non-atomic actions in a transaction on each database that has ATOMIC_REQUESTS."""
        with ExitStack() as stack:
            if self.non_atomic_actions and not self.non_atomic_actions & set(request.POST.getlist("action")):
                for alias, database in connections.settings.items():
                    if database["ATOMIC_REQUESTS"]:
                        stack.enter_context(transaction.atomic(using=alias))
            return super().changelist_view(request, extra_context)

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Add the user name, whose field depends on the user model."""
        fields = super().get_search_fields(request)
        return [*fields, f"{self.user_lookup}__{get_user_model().USERNAME_FIELD}"] if self.user_lookup else [*fields]

    def get_change_url(self, obj: Model) -> str:
        return get_change_url(obj, self.admin_site)

    def get_object_page_url(self, name: str, obj: Model) -> str:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}"
        return reverse(name, args=[quote(obj.pk)], current_app=self.admin_site.name)

    def get_permitted_object(self, request: HttpRequest, object_id: str, has_permission: Callable[..., bool]) -> Any:
        """Return the object of an object page, or raise `PermissionDenied` or `Http404`.

        The permission is checked first: a user without it doesn't learn whether the object exists.
        """
        obj = self.get_object(request, unquote(object_id))
        if not has_permission(request, obj):
            raise PermissionDenied
        if obj is None:
            raise Http404
        return obj

    def add_list_filters(self, request: HttpRequest, url: str) -> str:
        """Add the filters of the changelist to a URL, so that the page leads back to the filtered list."""
        return add_preserved_filters({"preserved_filters": self.get_preserved_filters(request), "opts": self.opts}, url)

    def show_messages(self, request: HttpRequest, messages: Iterable[Message]) -> None:
        for level, text in messages:
            self.message_user(request, text, level)


class ReadOnlyAdmin(BaseAdmin):
    """A model admin with a `date_hierarchy` for objects that the app creates: users can't add or change them."""

    # Such tables grow with use: their rows are counted once per page, not twice.
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Omit the date hierarchy if the time zone tables of MySQL or MariaDB are empty: it would raise an error."""
        changelist = super().get_changelist_instance(request)
        if not connections[changelist.queryset.db].features.has_zoneinfo_database:
            changelist.date_hierarchy = None
        return changelist


class JSONField(forms.JSONField):
    """A JSON form field that rejects what can't be stored: endless nesting or numbers, and lone surrogates."""

    def to_python(self, value: Any) -> Any:
        try:
            return _check_serializable(super().to_python(value))
        except (RecursionError, ValueError):
            raise ValidationError(self.error_messages["invalid"], code="invalid", params={"value": value}) from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            return _check_serializable(super().bound_data(data, initial))
        except (RecursionError, ValueError):
            return InvalidJSONInput(data)


def _check_serializable(value: Any) -> Any:
    # As it is displayed and sent to the database.
    json.dumps(value, ensure_ascii=False).encode()
    return value


def get_user_name(user: AbstractBaseUser | None, key: str = "") -> str:
    """Return the display name of a user, or of a deleted user by the stored key; email addresses aren't shown."""
    if user is None:
        return _("user %(key)s (deleted)") % {"key": mask_email(key)} if key else ""
    name = user.get_username()
    return _("user %(key)s") % {"key": mask_email(str(user.pk))} if "@" in name else name


def get_customer_name(customer: Customer) -> str:
    """Return the display name of a customer; email addresses aren't shown."""
    name = str(customer)
    return _("customer %(key)s") % {"key": customer.pk} if "@" in name else name


def get_change_url(obj: Model, site: AdminSite) -> str:
    """Return the URL of an object's change page, or "" if its model isn't registered in the site."""
    meta = obj._meta
    if not site.is_registered(meta.model):
        return ""
    name = f"admin:{meta.app_label}_{meta.model_name}_change"
    return reverse(name, args=[quote(obj.pk)], current_app=site.name)


def render_warning(text: str, warning: str) -> SafeString:
    """Put the warning below the text, without punctuation between them, which depends on the language."""
    return format_html("<div>{}</div><strong>{}</strong>", text, warning)


def render_link(url: str, text: object) -> SafeString | str:
    """Render a link, or only its text if there is no URL."""
    return format_html('<a href="{}">{}</a>', url, text) if url else str(text)
