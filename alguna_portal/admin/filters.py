"""List filters of the model admins."""

from typing import Any, Literal

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alguna_portal.conf import conf
from alguna_portal.models import Customer, PortalLink, WebhookDelivery
from alguna_portal.models.portal_link import get_state_filter

from .base import get_customer_name

# The number of latest webhook deliveries whose types are offered.
MAX_RECENT = 1000


class CustomerFilter(admin.SimpleListFilter):
    """Filter by the one customer whose page links here. Others aren't offered, since there may be very many."""

    title = _("customer")
    parameter_name = "customer"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the chosen customer, if the user may view it."""
        key = self.value()
        if key is None:
            return []
        # `get_model_admin` raises an exception if the customer admin isn't registered.
        customer_admin = model_admin.admin_site._registry.get(Customer)  # noqa: SLF001
        try:
            customer = customer_admin.get_queryset(request).get(pk=key) if customer_admin else None
        except (Customer.DoesNotExist, ValueError):
            customer = None
        if customer is None or not customer_admin.has_view_permission(request, customer):
            # Django redirects to the unfiltered list. The name isn't disclosed.
            raise IncorrectLookupParameters
        return [(str(customer.pk), get_customer_name(customer))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        key = self.value()
        return queryset if key is None else queryset.filter(customer=key)


class StateFilter(admin.SimpleListFilter):
    """Filter links by their present state, which is computed."""

    title = pgettext_lazy("of a link", "state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [(state.value, str(state.label)) for state in PortalLink.State]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PortalLink]) -> QuerySet[PortalLink]:  # noqa: ARG002
        state = self.value()
        if state is None:
            return queryset
        if state not in PortalLink.State.values:
            raise IncorrectLookupParameters
        return queryset.filter(get_state_filter(PortalLink.State(state), timezone.now()))


class PlanMappedFilter(admin.SimpleListFilter):
    """Filter customers whose plan in Alguna isn't mapped. Offered if any plan is mapped."""

    title = _("plan in Alguna")
    parameter_name = "plan_in_alguna"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [("unmapped", str(_("plan not mapped")))] if get_valid_mapping("PLAN_IDS") else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> QuerySet[Customer]:  # noqa: ARG002
        value = self.value()
        if value is None:
            return queryset
        if value != "unmapped":
            raise IncorrectLookupParameters
        plan_ids = get_valid_mapping("PLAN_IDS")
        return queryset.exclude(plan_id="").exclude(plan_id__in=plan_ids) if plan_ids else queryset.none()


class TypeFilter(admin.SimpleListFilter):
    """Filter webhook deliveries by the first part of their type, such as `invoice`."""

    title = _("type")
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Offer the chosen type and those of recent deliveries: the whole table may be long."""
        recent = WebhookDelivery.objects.order_by("-received_at").values_list("type", flat=True)[:MAX_RECENT]
        types = {each.partition(".")[0] for each in recent} | {str(self.value() or "")} - {""}
        return [(each, each) for each in sorted(types)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:  # noqa: ARG002
        value = self.value()
        return queryset if value is None else queryset.filter(Q(type=value) | Q(type__startswith=f"{value}."))


def get_valid_mapping(setting: Literal["PLANS", "PLAN_IDS"]) -> dict[str, Any]:
    """Return a setting, or an empty mapping if the setting is invalid, so that pages still open."""
    try:
        return conf.PLANS if setting == "PLANS" else conf.PLAN_IDS
    except ImproperlyConfigured:
        return {}
