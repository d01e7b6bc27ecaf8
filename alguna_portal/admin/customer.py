"""Customers: who they are, who may open their portal, whether Alguna has them, and what it would be sent."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.cache.backends.base import BaseCache
from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.db.models import Field, Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from alguna_portal.api.circuit_breaker import CircuitBreaker
from alguna_portal.api.payloads import create_session_payload
from alguna_portal.conf import conf
from alguna_portal.exceptions import AlgunaError, AlgunaUnavailable
from alguna_portal.models import Customer, Membership, PortalAccess, PortalLink
from alguna_portal.plans import merge_settings
from alguna_portal.redaction import redact_id
from alguna_portal.roles import Role

from .base import JSONField
from .filters import PlanMappedFilter, mapped_plans, plan_in_alguna
from .membership import MembershipInline, few_members
from .send_portal_links import SendingAdmin

# --- from alguna_portal.admin.presence

SECONDS = 2


class Bystander(CircuitBreaker):
    """A breaker that is obeyed, and learns of no outage: people who wait longer than a page here may be served."""

    def after_call(self, failure: BaseException | None) -> None:
        """Report what took too long, or failed, as a call that was cut off."""
        super().after_call(TimeoutError() if isinstance(failure, AlgunaUnavailable) else failure)

    def _becomes_probe(self, cache: BaseCache) -> bool:  # noqa: ARG002
        """Leave it to others to find out whether an outage is over: they would wait while this one fails to say so."""
        return False


def presence(customer: Customer) -> SafeString | str:
    """Say whether Alguna has a customer with this alias, and whether it is the one known here."""
    # Not above, as in `customers`.
    from alguna_portal.api.client import AlgunaClient

    try:
        client = AlgunaClient.from_settings(circuit_breaker=Bystander())
        found = client.find_customer(customer.alias, within=SECONDS)
    except (AlgunaError, ImproperlyConfigured) as exc:
        return format_html('<span class="quiet">{}</span>', gettext("Unknown: %(reason)s") % {"reason": exc})
    known = customer.customer_id
    ids = {"found": redact_id(found or ""), "known": redact_id(known or "")}
    if found == known:
        # Neither there nor known, or the same.
        # Translators: whether a customer is in Alguna, and its id there.
        return gettext("Yes, as %(found)s") % ids if found else pgettext("customer in Alguna", "No")
    if known is None:
        return gettext("Yes, as %(found)s, which is not stored here yet. “Create in Alguna” stores it.") % ids
    if found is None:
        warning = gettext(
            "No customer there has this alias, though %(known)s is stored here. Add the alias to that customer in "
            "Alguna. Only where that customer is gone, empty the customer id here and create it anew."
        )
    else:
        warning = gettext(
            "Yes, but as %(found)s, while %(known)s is stored here: portal sessions are refused. Move the alias in "
            "Alguna, or store %(found)s here, whichever of the two is right."
        )
    return format_html("<strong>{}</strong>", warning % ids)


# --- from alguna_portal.admin.customer_form

if TYPE_CHECKING:
    CustomerFormBase = forms.ModelForm[Customer]
else:
    CustomerFormBase = forms.ModelForm


class CustomerForm(CustomerFormBase):
    """A customer, with the plans that are configured to choose from."""

    class Meta:
        model = Customer
        fields = ("name", "alias", "customer_id", "email", "currency", "plan", "portal_settings")
        field_classes = {"portal_settings": JSONField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read = {field.attname: deepcopy(value) for field, value in self._values()}
        if "customer_id" in self.fields:
            # The form says what it was opened with: an id that is stored meanwhile is not erased by an empty field.
            self.fields["customer_id"].show_hidden_initial = True
        if "plan" in self.fields:
            self.fields["plan"] = self._plan_field()
            # As above: a plan that an event has set meanwhile is not taken back.
            self.fields["plan"].show_hidden_initial = True

    def _plan_field(self) -> forms.ChoiceField:
        """Offer the configured plans, and the one the customer has, so that saving never changes it unseen."""
        plans = _configured_plans()
        choices = [("", _("no plan")), *((plan, plan) for plan in plans)]
        if self.instance.plan and self.instance.plan not in plans:
            choices.append((self.instance.plan, _("%(plan)s (not configured)") % {"plan": self.instance.plan}))
        field = self.fields["plan"]
        hint = field.help_text
        if mapped_plans():
            lasts = gettext("It follows Alguna: what is chosen here lasts until it is next asked for the plan.")
            hint = f"{hint} {lasts}"
        return forms.ChoiceField(choices=choices, required=False, label=field.label, help_text=hint)

    @property
    def touched(self) -> list[str]:
        """The fields that differ from what was read when the form was sent."""
        return [field.name for field, value in self._values() if value != self._read[field.attname]]

    def _values(self) -> "Iterator[tuple[Field[Any, Any], Any]]":
        return ((field, getattr(self.instance, field.attname)) for field in self.instance._meta.concrete_fields)

    def clean_customer_id(self) -> Any:
        """Take an id only from somebody who has changed it."""
        changed = "customer_id" in self.changed_data
        return self.cleaned_data["customer_id"] if changed else self.instance.customer_id

    def clean_plan(self) -> Any:
        """Take a plan only from somebody who has changed it."""
        return self.cleaned_data["plan"] if "plan" in self.changed_data else self.instance.plan

    def clean_portal_settings(self) -> Any:
        """Take an empty field, and JSON's null, for no settings."""
        cleaned = self.cleaned_data["portal_settings"]
        return {} if cleaned is None else cleaned


def _configured_plans() -> list[str]:
    """List the plans there are; with settings that cannot be read, none, so that the page still opens."""
    try:
        return list(conf.PLANS)
    except ImproperlyConfigured:
        return []


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
        portal_settings, doubts = merge_settings(saved, role=role)
    except ImproperlyConfigured as exc:
        return str(exc)
    request = create_session_payload(saved.alias, portal_settings, conf.API_VERSION)
    warnings = format_html_join("", "<p>{}</p>", ((doubt,) for doubt in doubts))
    return format_html("{}<pre>{}</pre>", warnings, json.dumps(request, indent=2, ensure_ascii=False))
