"""What people and customers are called on the admin's pages, never by an e-mail address; and where rows are."""

from typing import TYPE_CHECKING

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import reverse
from django.utils.translation import gettext as _

from alguna_portal.models import Customer
from alguna_portal.models.portal_link import masked

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


def person(user: "AbstractBaseUser | None", key: str) -> str:
    """Name a user; one who has been deleted, or was nobody's row, by the key that was kept of them."""
    if user is None:
        return _("user %(key)s (deleted)") % {"key": masked(key)} if key else ""
    name = user.get_username()
    return _("user %(key)s") % {"key": masked(str(user.pk))} if "@" in name else name


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
