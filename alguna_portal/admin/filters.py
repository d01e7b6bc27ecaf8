"""What lists in the admin can be narrowed to."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alguna_portal.models import Customer, PortalLink, WebhookDelivery
from alguna_portal.models.portal_link import in_state

from .naming import company
from .plans import mapped_plans, unmapped

RECENT = 1000  # messages whose types are offered


class CustomerFilter(admin.SimpleListFilter):
    """The one customer whose page led here. Others are not offered: there may be very many."""

    title = _("customer")
    parameter_name = "customer"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the customer that was chosen, to those who may view it."""
        key = self.value()
        if key is None:
            return []
        # `get_model_admin` raises where there is none; then there is no page that leads here, either.
        customers = model_admin.admin_site._registry.get(Customer)  # noqa: SLF001
        try:
            chosen = customers.get_queryset(request).get(pk=key) if customers else None
        except (Customer.DoesNotExist, ValueError):
            chosen = None
        if chosen is None or not customers.has_view_permission(request, chosen):
            # Django leads to the list as it is without filters, and says so. Names are told to nobody by the way.
            raise IncorrectLookupParameters
        return [(str(chosen.pk), company(chosen))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """Keep what is the customer's."""
        key = self.value()
        return queryset if key is None else queryset.filter(customer=key)


class StateFilter(admin.SimpleListFilter):
    """What a link is worth now."""

    title = pgettext_lazy("of a link", "state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Offer every state, in the order of a link's life."""
        return [(state.value, str(state.label)) for state in PortalLink.State]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PortalLink]) -> QuerySet[PortalLink]:  # noqa: ARG002
        """Keep the links that are in the state."""
        state = self.value()
        if state is None:
            return queryset
        if state not in PortalLink.State.values:
            raise IncorrectLookupParameters
        return queryset.filter(in_state(PortalLink.State(state), timezone.now()))


class PlanMappedFilter(admin.SimpleListFilter):
    """Whether Alguna's plan is known here; offered where any is."""

    title = _("plan in Alguna")
    parameter_name = "plan_in_alguna"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Offer what is to be put right."""
        return [("unmapped", str(_("plan not mapped")))] if mapped_plans() else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> QuerySet[Customer]:  # noqa: ARG002
        """Keep the customers on a plan that the settings do not know as they are now."""
        value = self.value()
        if value is None:
            return queryset
        if value != "unmapped":
            raise IncorrectLookupParameters
        return queryset.filter(unmapped())


class TypeFilter(admin.SimpleListFilter):
    """What a message is about: the first part of its type, such as `invoice`."""

    title = _("type")
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Offer what has been told of lately: the table may be long. And what was chosen."""
        recent = WebhookDelivery.objects.order_by("-received_at").values_list("type", flat=True)[:RECENT]
        kinds = {kind.partition(".")[0] for kind in recent} | {str(self.value() or "")} - {""}
        return [(kind, kind) for kind in sorted(kinds)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:  # noqa: ARG002
        """Keep what is about it."""
        value = self.value()
        return queryset if value is None else queryset.filter(Q(type=value) | Q(type__startswith=f"{value}."))
