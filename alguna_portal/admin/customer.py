"""The admin of customers: form, members, state in Alguna, preview of the portal session request, and actions."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import display_for_value
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

from .base import JSONField, render_warning
from .create_in_alguna import CreateInAlgunaMixin
from .filters import PlanMappedFilter, get_valid_mapping
from .membership import MembershipInline, has_inline_members
from .send_portal_links import SendPortalLinksMixin

# The time limit of the call to Alguna that the change page waits for.
LOOKUP_SECONDS = 2

# These fields describe a saved customer, so the page that adds one omits them.
SAVED_FIELDS = ("in_alguna", "plan_in_alguna", "sent_as_manager", "sent_as_viewer")


class CustomerForm(forms.ModelForm):
    """A form that offers the configured plans, and that doesn't overwrite what others store while it's open."""

    class Meta:
        model = Customer
        fields = ("name", "alias", "customer_id", "email", "currency", "plan", "portal_settings")
        field_classes = {"portal_settings": JSONField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._initial_values = {field.attname: deepcopy(value) for field, value in self._get_values()}
        if "plan" in self.fields:
            self.fields["plan"] = self._create_plan_field()
        # The form contains their initial values: an id or plan that is stored in the meantime isn't overwritten.
        for name in {"customer_id", "plan"} & set(self.fields):
            self.fields[name].show_hidden_initial = True

    def _create_plan_field(self) -> forms.ChoiceField:
        """Offer the configured plans and the customer's plan, so that saving never changes it unnoticed."""
        plans = get_valid_mapping("PLANS")
        choices = [("", _("no plan")), *((plan, plan) for plan in plans)]
        if self.instance.plan and self.instance.plan not in plans:
            choices.append((self.instance.plan, _("%(plan)s (not configured)") % {"plan": self.instance.plan}))
        field = self.fields["plan"]
        if get_valid_mapping("PLAN_IDS"):
            hint = gettext("It follows Alguna: what is chosen here lasts until it is next asked for the plan.")
            field.help_text = f"{field.help_text} {hint}"
        return forms.ChoiceField(choices=choices, required=False, label=field.label, help_text=field.help_text)

    @property
    def changed_fields(self) -> list[str]:
        """The model fields whose values differ from those that were read when the form was submitted."""
        return [field.name for field, value in self._get_values() if value != self._initial_values[field.attname]]

    def _get_values(self) -> "Iterator[tuple[Field[Any, Any], Any]]":
        return ((field, getattr(self.instance, field.attname)) for field in self.instance._meta.concrete_fields)

    def clean_customer_id(self) -> Any:
        """Keep the stored id unless the user has changed the field."""
        return self.cleaned_data["customer_id"] if "customer_id" in self.changed_data else self.instance.customer_id

    def clean_plan(self) -> Any:
        """Keep the stored plan unless the user has changed the field."""
        return self.cleaned_data["plan"] if "plan" in self.changed_data else self.instance.plan

    def clean_portal_settings(self) -> Any:
        """Convert an empty field and JSON's null to an empty mapping."""
        cleaned = self.cleaned_data["portal_settings"]
        return {} if cleaned is None else cleaned


@admin.register(Customer)
class CustomerAdmin(CreateInAlgunaMixin, SendPortalLinksMixin):
    """Customers, which can be searched by name, id and member."""

    form = CustomerForm
    inlines = [MembershipInline]
    actions = ["create_in_alguna", "send_portal_link"]
    non_atomic_actions = frozenset({"create_in_alguna", "send_portal_link"})
    object_pages = ("create_in_alguna", "send_portal_link")
    list_display = ["name", "alias", "plan", "customer_id"]
    list_display_links = ["name", "alias"]
    list_filter = ["plan", PlanMappedFilter, "memberships__role"]
    search_fields = ["name", "alias", "customer_id", "email"]
    search_help_text = _("Search by name, alias, Alguna's id, billing e-mail, or the user name of a member.")
    user_lookup = "memberships__user"
    readonly_fields = SAVED_FIELDS
    fieldsets = [
        (None, {"fields": ["name", "alias", "customer_id", "in_alguna", "email", "currency"]}),
        (_("Portal"), {"fields": ["plan", "plan_in_alguna", "portal_settings"]}),
        (
            _("Sent to Alguna for a portal session, as last saved"),
            {"fields": ["sent_as_manager", "sent_as_viewer"]},
        ),
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is not None:
            return fieldsets
        entered = (
            (title, {**options, "fields": [name for name in options["fields"] if name not in SAVED_FIELDS]})
            for title, options in fieldsets
        )
        return [(title, options) for title, options in entered if options["fields"]]

    def get_inlines(self, request: HttpRequest, obj: Customer | None) -> Any:
        """Omit the members if they are too many for one form; then the page links to their list."""
        inlines = super().get_inlines(request, obj)
        if obj is None or has_inline_members(request, obj):
            return inlines
        return [each for each in inlines if not issubclass(each, MembershipInline)]

    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:  # noqa: FBT001
        """Save only the changed fields: a worker may store an id while a user edits the name."""
        # A list that is edited in place uses a form of Django's.
        if change and isinstance(form, CustomerForm):
            obj.save(update_fields=form.changed_fields)
        else:
            super().save_model(request, obj, form, change)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        customer = context.get("original")
        with_members = all(each.formset.model is not Membership for each in context["inline_admin_formsets"])
        tools = self._get_tools(request, customer, with_members=with_members) if customer else []
        return super().render_change_form(request, context | {"alguna_tools": tools}, *args, **kwargs)

    def _get_tools(self, request: HttpRequest, customer: Customer, *, with_members: bool) -> Iterator[tuple[str, str]]:
        saved = _get_saved(customer)
        if saved and not saved.customer_id and self.has_change_permission(request, customer):
            url = self.get_object_page_url("create_in_alguna", customer)
            yield self.add_list_filters(request, url), gettext("Create in Alguna")
        if saved and self.has_send_portal_link_permission(request):
            url = self.get_object_page_url("send_portal_link", customer)
            yield self.add_list_filters(request, url), gettext("Send portal link")
        lists: list[tuple[type[Model], str]] = [(Membership, gettext("Members"))] if with_members else []
        lists += [(PortalLink, gettext("Portal links")), (PortalAccess, gettext("Portal accesses"))]
        for model, label in lists:
            model_admin = self.admin_site._registry.get(model)  # noqa: SLF001
            if model_admin and model_admin.has_view_permission(request):
                name = f"admin:alguna_portal_{model._meta.model_name}_changelist"
                url = reverse(name, current_app=self.admin_site.name)
                yield f"{url}?{urlencode({'customer': customer.pk})}", label

    # Translators: whether the customer is there.
    @admin.display(description=_("in Alguna"))
    def in_alguna(self, customer: Customer) -> SafeString | str:
        saved = _get_saved(customer)
        return render_alguna_customer(saved) if saved else "-"

    @admin.display(description=_("plan in Alguna"))
    def plan_in_alguna(self, customer: Customer) -> SafeString | str:
        saved = _get_saved(customer)
        return render_alguna_plan(saved) if saved else "-"

    # Translators: what is sent for one, after “Sent to Alguna for a portal session”.
    @admin.display(description=_("for a manager"))
    def sent_as_manager(self, customer: Customer) -> SafeString | str:
        return _render_session_request(customer, Role.MANAGER)

    @admin.display(description=_("for a viewer"))
    def sent_as_viewer(self, customer: Customer) -> SafeString | str:
        return _render_session_request(customer, Role.VIEWER)


def _get_saved(customer: Customer) -> Customer | None:
    """Return the stored customer: after a rejected form, the object contains the form's values.

    It's read once per page and stored in the object, from the primary database: a replica may be behind.
    """
    cached = vars(customer)
    if "_alguna_saved" not in cached:
        using = router.db_for_write(Customer, instance=customer)
        cached["_alguna_saved"] = Customer.objects.using(using).filter(pk=customer.pk).first()
    saved: Customer | None = cached["_alguna_saved"]
    return saved


def _render_session_request(customer: Customer, role: Role) -> SafeString | str:
    saved = _get_saved(customer)
    if saved is None:
        return "-"
    try:
        portal_settings, warnings = merge_settings(saved, role=role)
    except ImproperlyConfigured as exc:
        return str(exc)
    payload = create_session_payload(saved.alias, portal_settings, conf.API_VERSION)
    paragraphs = format_html_join("", "<p>{}</p>", ((warning,) for warning in warnings))
    return format_html("{}<pre>{}</pre>", paragraphs, json.dumps(payload, indent=2, ensure_ascii=False))


class PassiveCircuitBreaker(CircuitBreaker):
    """A circuit breaker that stops calls but never opens: billing pages wait longer than this page, and may succeed."""

    def after_call(self, failure: BaseException | None) -> None:
        """Record an outage like a call that was cut off, which doesn't count as a failure."""
        super().after_call(TimeoutError() if isinstance(failure, AlgunaUnavailable) else failure)

    def _becomes_probe(self, cache: BaseCache) -> bool:  # noqa: ARG002
        """Return False: while this call tested whether an outage is over, billing pages would have to wait."""
        return False


def render_alguna_customer(customer: Customer) -> SafeString | str:
    """Show whether Alguna has a customer with this alias, and whether its id is the stored one."""
    # Not at the top: `requests` must not be imported while Django starts.
    from alguna_portal.api.client import AlgunaClient

    try:
        client = AlgunaClient.from_settings(circuit_breaker=PassiveCircuitBreaker())
        found = client.find_customer(customer.alias, within=LOOKUP_SECONDS)
    except (AlgunaError, ImproperlyConfigured) as exc:
        return format_html('<span class="quiet">{}</span>', gettext("Unknown: %(reason)s") % {"reason": exc})
    known = customer.customer_id
    ids = {"found": redact_id(found or ""), "known": redact_id(known or "")}
    if found == known:
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


def render_alguna_plan(customer: Customer) -> SafeString | str:
    """Show the plan that Alguna returned last, with the remedy if it isn't the customer's plan here."""
    if customer.plan_synced_at is None:
        return gettext("Not asked for yet")
    facts = {"plan": redact_id(customer.plan_id), "when": display_for_value(customer.plan_synced_at, "")}
    if not customer.plan_id:
        # Translators: Alguna has no plan of a customer; a date and a time.
        return gettext("None (asked on %(when)s)") % facts
    # Translators: Alguna's id of a plan; a date and a time.
    text = gettext("%(plan)s (asked on %(when)s)") % facts
    try:
        plan_ids = conf.PLAN_IDS
    except ImproperlyConfigured as exc:
        return render_warning(text, str(exc))
    if not plan_ids or plan_ids.get(customer.plan_id) == customer.plan:
        return text
    if customer.plan_id in plan_ids:
        warning = gettext("That is “%(mapped)s”, which is not stored here yet: run “manage.py alguna_sync”.")
        facts["mapped"] = plan_ids[customer.plan_id]
    else:
        warning = gettext(
            "It is not mapped, so the plan here was left as it is. Add %(plan)s to ALGUNA_PORTAL_PLAN_IDS, and run "
            "“manage.py alguna_sync”."
        )
    return render_warning(text, warning % facts)
