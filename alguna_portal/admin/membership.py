"""Memberships: who may open whose portal, in a list that stays quick where a customer has very many people."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from alguna_portal.models import Membership

from .filters import CustomerFilter
from .members import searchable
from .naming import company, person

if TYPE_CHECKING:
    MembershipAdminBase = admin.ModelAdmin[Membership]
else:
    MembershipAdminBase = admin.ModelAdmin


@admin.register(Membership)
class MembershipAdmin(MembershipAdminBase):
    """Memberships, to be found by people and customers."""

    list_display = ["user_name", "customer_name", "role"]
    list_filter = ["role", CustomerFilter]
    list_select_related = ["user", "customer"]
    search_fields = ["customer__name", "customer__alias"]
    search_help_text = _("Search by a user's name, or by a customer's name or alias.")
    show_full_result_count = False
    fields = ["user", "customer", "role"]
    raw_id_fields = ["user", "customer"]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Search by the names of users, whatever the host's are called by."""
        return [*super().get_search_fields(request), f"user__{get_user_model().USERNAME_FIELD}"]

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        """Search users and customers as one types, where their own admins can be searched."""
        return searchable(self.raw_id_fields, self.admin_site, request)

    @admin.display(description=_("user"))
    def user_name(self, membership: Membership) -> str:
        """Name the user."""
        return person(membership.user, "")

    @admin.display(description=_("customer"))
    def customer_name(self, membership: Membership) -> str:
        """Name the customer."""
        return company(membership.customer)
