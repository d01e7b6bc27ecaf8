"""Memberships: who may open whose portal, in a list that stays quick where a customer has very many people."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.sites import AdminSite
from django.contrib.admin.widgets import AutocompleteSelect, ForeignKeyRawIdWidget
from django.contrib.auth import get_user_model
from django.db.models import ForeignKey, QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from alguna_portal.models import Customer, Membership

from .base import company, page_of, person
from .filters import CustomerFilter

# --- from alguna_portal.admin.members

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

    MembershipInlineBase = admin.TabularInline[Membership, Customer]
    MembershipFormBase = forms.ModelForm[Membership]
else:
    MembershipInlineBase = admin.TabularInline
    MembershipFormBase = forms.ModelForm

# Each is four fields of a form, or five, and Django refuses more than 1000: see DATA_UPLOAD_MAX_NUMBER_FIELDS.
MOST_IN_FORM = 100


def few_members(request: HttpRequest, customer: Customer) -> bool:
    """Say whether a customer's people are edited on its page."""
    if request.method == "POST":
        # As the page was when it was opened: they may have become more since, or fewer.
        return "memberships-TOTAL_FORMS" in request.POST
    return not Membership.objects.filter(customer=customer)[MOST_IN_FORM : MOST_IN_FORM + 1].exists()


class SearchedUser(AutocompleteSelect):
    """A field to search users in, which needs no query to name the one that is known."""

    known: "AbstractBaseUser | None" = None

    def optgroups(self, name: str, value: Sequence[str], attr: dict[str, Any] | None = None) -> Any:
        """Offer the user that is chosen."""
        if self.known is None or list(value) != [str(self.known.pk)]:
            return super().optgroups(name, value, attr)
        return [(None, [self.create_option(name, self.known.pk, str(self.known), True, 0)], 0)]


class UserById(ForeignKeyRawIdWidget):
    """A field for the id of a user, which needs no query to name the one that is known."""

    known: "AbstractBaseUser | None" = None

    def label_and_url_for_value(self, value: Any) -> tuple[str, str]:
        """Name the user whose id stands there, and lead to its page."""
        if self.known is None or str(value) != str(self.known.pk):
            return super().label_and_url_for_value(value)
        return Truncator(self.known).words(14), page_of(self.known, self.admin_site)


class MembershipForm(MembershipFormBase):
    """A person and a role; the person has been read along with the membership."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "user" in self.fields:
            widget: Any = self.fields["user"].widget
            # Where users have pages, Django wraps it to lead there.
            getattr(widget, "widget", widget).known = self.instance.user


class MembershipInline(MembershipInlineBase):
    """The people of a customer, and their roles."""

    model = Membership
    form = MembershipForm
    extra = 0
    # Used where users cannot be searched, below: a list of all of them may be endless.
    raw_id_fields = ["user"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        """Read the users along: one query, however many rows."""
        return super().get_queryset(request).select_related("user")

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        """Search users as one types, where their own admin can be searched."""
        return searchable(self.raw_id_fields, self.admin_site, request)

    def formfield_for_foreignkey(self, db_field: "ForeignKey[Any]", request: HttpRequest, **kwargs: Any) -> Any:
        """Name those who are members without asking for each."""
        if db_field.name == "user":
            using = kwargs.get("using")
            if "user" in self.get_autocomplete_fields(request):
                kwargs["widget"] = SearchedUser(db_field, self.admin_site, using=using)
            else:
                kwargs["widget"] = UserById(db_field.remote_field, self.admin_site, using=using)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def searchable(names: Iterable[str], site: AdminSite, request: HttpRequest) -> list[str]:
    """Choose the fields of a membership for which whoever asks can search."""

    def searched(name: str) -> bool:
        model: Any = Membership._meta.get_field(name).related_model
        found = site._registry.get(model)  # noqa: SLF001  (`get_model_admin` raises)
        return bool(found and found.get_search_fields(request) and found.has_view_permission(request))

    return [name for name in names if searched(name)]


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
