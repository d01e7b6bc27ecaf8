"""The admin of memberships, and the inline that edits them on a customer's page."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.admin.widgets import AutocompleteSelect, ForeignKeyRawIdWidget
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import ForeignKey, QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from alguna_portal.models import Customer, Membership

from .base import BaseAdmin, get_change_url, get_customer_name, get_user_name
from .filters import CustomerFilter

# Each member is up to five form fields, and Django accepts 1000: see DATA_UPLOAD_MAX_NUMBER_FIELDS.
MAX_INLINE_MEMBERS = 100


def has_inline_members(request: HttpRequest, customer: Customer) -> bool:
    """Check whether a customer has few enough members to edit them on its page."""
    if request.method == "POST":
        # As the page was when it was opened: the number of members may have changed.
        return "memberships-TOTAL_FORMS" in request.POST
    return not Membership.objects.filter(customer=customer)[MAX_INLINE_MEMBERS : MAX_INLINE_MEMBERS + 1].exists()


class UserSelect(AutocompleteSelect):
    """A field to search for users, which shows the member without another query."""

    user: AbstractBaseUser | None = None

    def optgroups(self, name: str, value: Sequence[str], attr: dict[str, Any] | None = None) -> Any:
        if self.user is None or list(value) != [str(self.user.pk)]:
            return super().optgroups(name, value, attr)
        return [(None, [self.create_option(name, self.user.pk, str(self.user), True, 0)], 0)]


class UserRawIdWidget(ForeignKeyRawIdWidget):
    """A field for a user's id, which shows the member without another query."""

    user: AbstractBaseUser | None = None

    def label_and_url_for_value(self, value: Any) -> tuple[str, str]:
        if self.user is None or str(value) != str(self.user.pk):
            return super().label_and_url_for_value(value)
        return Truncator(self.user).words(14), get_change_url(self.user, self.admin_site)


class MembershipForm(forms.ModelForm):
    """A user and a role. The widget gets the user, who was selected in the same query."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "user" in self.fields:
            widget: Any = self.fields["user"].widget
            # If users have change pages, Django wraps the widget to add links to them.
            getattr(widget, "widget", widget).user = self.instance.user


class AutocompleteMixin(BaseModelAdmin):
    """Use the `raw_id_fields` as autocomplete fields if the user can search for their objects in this site."""

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        def is_searchable(name: str) -> bool:
            model: Any = Membership._meta.get_field(name).related_model
            # `get_model_admin` raises an exception if the model isn't registered.
            related: Any = self.admin_site._registry.get(model)  # noqa: SLF001
            return bool(related and related.get_search_fields(request) and related.has_view_permission(request))

        return [name for name in self.raw_id_fields if is_searchable(name)]


class MembershipInline(AutocompleteMixin, admin.TabularInline):
    """The members of a customer with their roles."""

    model = Membership
    form = MembershipForm
    extra = 0
    # For users that can't be searched: a list of all users could be very long.
    raw_id_fields = ["user"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user")

    def formfield_for_foreignkey(self, db_field: "ForeignKey[Any]", request: HttpRequest, **kwargs: Any) -> Any:
        """Use the widgets that need no query for each member."""
        if db_field.name == "user":
            using = kwargs.get("using")
            if "user" in self.get_autocomplete_fields(request):
                kwargs["widget"] = UserSelect(db_field, self.admin_site, using=using)
            else:
                kwargs["widget"] = UserRawIdWidget(db_field.remote_field, self.admin_site, using=using)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(Membership)
class MembershipAdmin(AutocompleteMixin, BaseAdmin):
    """Memberships, also of customers with very many members."""

    list_display = ["user_name", "customer_name", "role"]
    list_filter = ["role", CustomerFilter]
    list_select_related = ["user", "customer"]
    search_fields = ["customer__name", "customer__alias"]
    search_help_text = _("Search by a user's name, or by a customer's name or alias.")
    user_lookup = "user"
    show_full_result_count = False
    fields = ["user", "customer", "role"]
    raw_id_fields = ["user", "customer"]

    @admin.display(description=_("user"))
    def user_name(self, membership: Membership) -> str:
        return get_user_name(membership.user)

    @admin.display(description=_("customer"))
    def customer_name(self, membership: Membership) -> str:
        return get_customer_name(membership.customer)
