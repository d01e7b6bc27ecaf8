"""Customers: who they are, who may open their portal, whether Alguna has them, and what it would be sent."""

import json
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from alguna_portal.api.payloads import session_request
from alguna_portal.conf import conf
from alguna_portal.models import Customer, Membership, PortalAccess, PortalLink
from alguna_portal.plans import weigh
from alguna_portal.roles import Role

from .customer_form import CustomerForm
from .filters import PlanMappedFilter
from .members import MembershipInline, few_members
from .plans import plan_in_alguna
from .presence import presence
from .send_portal_links import SendingAdmin

OF_SAVED = ("in_alguna", "plan_in_alguna", "sent_as_manager", "sent_as_viewer")


@admin.register(Customer)
class CustomerAdmin(SendingAdmin):
    """Customers, searchable by their names and ids and by the names of their people."""

    form = CustomerForm
    inlines = [MembershipInline]
    list_display = ["name", "alias", "plan", "customer_id"]
    list_display_links = ["name", "alias"]
    list_filter = ["plan", PlanMappedFilter, "memberships__role"]
    search_fields = ["name", "alias", "customer_id", "email"]
    search_help_text = _("Search by name, alias, Alguna's id, billing e-mail, or the user name of a member.")
    readonly_fields = OF_SAVED
    fieldsets = [
        (None, {"fields": ["name", "alias", "customer_id", "in_alguna", "email", "currency"]}),
        (_("Portal"), {"fields": ["plan", "plan_in_alguna", "portal_settings"]}),
        (
            _("Sent to Alguna for a portal session, as last saved"),
            {"fields": ["sent_as_manager", "sent_as_viewer"]},
        ),
    ]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Search by the names of members, too, whatever the host's users are called by."""
        by_member = f"memberships__user__{get_user_model().USERNAME_FIELD}"
        return [*super().get_search_fields(request), by_member]

    def get_fieldsets(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        """Leave out what there is to say only of a customer that has been saved."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is not None:
            return fieldsets
        entered = (
            (title, {**options, "fields": [name for name in options["fields"] if name not in OF_SAVED]})
            for title, options in fieldsets
        )
        return [(title, options) for title, options in entered if options["fields"]]

    def get_inlines(self, request: HttpRequest, obj: Customer | None) -> Any:
        """Leave out the people where they are too many to be sent as one form; then they have a list of their own."""
        inlines = super().get_inlines(request, obj)
        if obj is None or few_members(request, obj):
            return inlines
        return [each for each in inlines if not issubclass(each, MembershipInline)]

    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:  # noqa: FBT001
        """Write what was changed, and leave the rest as it is by now: workers store ids while people edit names."""
        # Lists that are edited in place have a form of Django's.
        if change and isinstance(form, CustomerForm):
            obj.save(update_fields=form.touched)
        else:
            super().save_model(request, obj, form, change)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Offer what can be done with a customer above its form."""
        customer = context.get("original")
        with_members = all(each.formset.model is not Membership for each in context["inline_admin_formsets"])
        context["alguna_tools"] = self._tools(request, customer, with_members=with_members) if customer else []
        return super().render_change_form(request, context, *args, **kwargs)

    def _tools(self, request: HttpRequest, customer: Customer, *, with_members: bool) -> Iterator[tuple[str, str]]:
        saved = _saved(customer)
        if saved and not saved.customer_id and self.has_change_permission(request, customer):
            yield self._keep_filters(request, self.door_of("create_in_alguna", customer)), gettext("Create in Alguna")
        if saved and self.has_send_portal_link_permission(request):
            yield self._keep_filters(request, self.door_of("send_portal_link", customer)), gettext("Send portal link")
        lists: list[tuple[type[Model], str]] = [(Membership, gettext("Members"))] if with_members else []
        lists += [(PortalLink, gettext("Portal links")), (PortalAccess, gettext("Portal accesses"))]
        for model, label in lists:
            of_model = self.admin_site._registry.get(model)  # noqa: SLF001
            if of_model and of_model.has_view_permission(request):
                name = f"admin:alguna_portal_{model._meta.model_name}_changelist"
                url = reverse(name, current_app=self.admin_site.name)
                yield f"{url}?{urlencode({'customer': customer.pk})}", label

    # Translators: whether the customer is there.
    @admin.display(description=_("in Alguna"))
    def in_alguna(self, customer: Customer) -> SafeString | str:
        """Ask Alguna for the customer."""
        saved = _saved(customer)
        return presence(saved) if saved else "-"

    @admin.display(description=_("plan in Alguna"))
    def plan_in_alguna(self, customer: Customer) -> SafeString | str:
        """Show which plan Alguna had when it was last asked."""
        saved = _saved(customer)
        return plan_in_alguna(saved) if saved else "-"

    # Translators: what is sent for one, after “Sent to Alguna for a portal session”.
    @admin.display(description=_("for a manager"))
    def sent_as_manager(self, customer: Customer) -> SafeString | str:
        """Show the request for a manager's session."""
        return _preview(customer, Role.MANAGER)

    @admin.display(description=_("for a viewer"))
    def sent_as_viewer(self, customer: Customer) -> SafeString | str:
        """Show the request for a viewer's session."""
        return _preview(customer, Role.VIEWER)


def _saved(customer: Customer) -> Customer | None:
    """Read a customer as it stands in the database: a form that was refused has left its values in the object.

    Once for each page, whose object it is kept in; and not from a replica, which may not have what was just saved.
    """
    kept = vars(customer)
    if "_alguna_saved" not in kept:
        using = router.db_for_write(Customer, instance=customer)
        kept["_alguna_saved"] = Customer.objects.using(using).filter(pk=customer.pk).first()
    saved: Customer | None = kept["_alguna_saved"]
    return saved


def _preview(customer: Customer, role: Role) -> SafeString | str:
    saved = _saved(customer)
    if saved is None:
        return "-"
    try:
        portal_settings, doubts = weigh(saved, role=role)
    except ImproperlyConfigured as exc:
        return str(exc)
    request = session_request(saved.alias, portal_settings, conf.API_VERSION)
    warnings = format_html_join("", "<p>{}</p>", ((doubt,) for doubt in doubts))
    return format_html("{}<pre>{}</pre>", warnings, json.dumps(request, indent=2, ensure_ascii=False))
