"""What people and customers are called on the admin's pages, never by an e-mail address; and where customers are."""

from typing import TYPE_CHECKING

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils.translation import gettext as _

from alguna_portal.models import Customer

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


def person(user: "AbstractBaseUser | None", key: str) -> str:
    """Name a user; one who has been deleted, or was nobody's row, by the key that was kept of them."""
    if user is None:
        return _("user %(key)s (deleted)") % {"key": without_address(key)} if key else ""
    name = user.get_username()
    return _("user %(key)s") % {"key": without_address(str(user.pk))} if "@" in name else name


def company(customer: Customer) -> str:
    """Name a customer."""
    name = str(customer)
    return _("customer %(key)s") % {"key": customer.pk} if "@" in name else name


def page_of(customer: Customer, site: AdminSite) -> str:
    """Give the address of a customer's page; nothing where this admin has none."""
    if not site.is_registered(Customer):
        return ""
    return reverse("admin:alguna_portal_customer_change", args=[quote(customer.pk)], current_app=site.name)


def without_address(text: str) -> str:
    """Leave of an e-mail address as much as tells it from others."""
    return f"{text[:2]}…" if "@" in text else text
