"""What lists in the admin can be narrowed to."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import display_for_value
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from alguna_portal.conf import conf
from alguna_portal.models import Customer, PortalLink, WebhookDelivery
from alguna_portal.models.portal_link import get_state_filter
from alguna_portal.redaction import redact_id

from .base import company

# --- from alguna_portal.admin.plans


def mapped_plans() -> dict[str, str]:
    """Give the plan of each of Alguna's plan ids; with settings that cannot be read, none, so that pages still open."""
    try:
        return conf.PLAN_IDS
    except ImproperlyConfigured:
        return {}


def unmapped() -> Q:
    """Find the customers on a plan of Alguna's that is not mapped, as the settings are now."""
    mapped = mapped_plans()
    return ~Q(plan_id="") & ~Q(plan_id__in=mapped) if mapped else Q(pk__in=())


def plan_in_alguna(customer: Customer) -> SafeString | str:
    """Say which plan Alguna had when it was last asked; and what to do, where that is not the plan here."""
    if customer.plan_synced_at is None:
        return gettext("Not asked for yet")
    facts = {"plan": redact_id(customer.plan_id), "when": display_for_value(customer.plan_synced_at, "")}
    if not customer.plan_id:
        # Translators: Alguna has no plan of a customer; a date and a time.
        return gettext("None (asked on %(when)s)") % facts
    # Translators: Alguna's id of a plan; a date and a time.
    said = gettext("%(plan)s (asked on %(when)s)") % facts
    try:
        mapped = conf.PLAN_IDS
    except ImproperlyConfigured as exc:
        return _with(said, exc)
    if not mapped or mapped.get(customer.plan_id) == customer.plan:
        return said
    if customer.plan_id in mapped:
        warning = gettext("That is “%(mapped)s”, which is not stored here yet: run “manage.py alguna_sync”.")
        facts["mapped"] = mapped[customer.plan_id]
    else:
        warning = gettext(
            "It is not mapped, so the plan here was left as it is. Add %(plan)s to ALGUNA_PORTAL_PLAN_IDS, and run "
            "“manage.py alguna_sync”."
        )
    return _with(said, warning % facts)


def _with(said: str, warning: object) -> SafeString:
    """Put a warning under what Alguna said: no sign between them, since each language has its own."""
    return format_html("<div>{}</div><strong>{}</strong>", said, warning)


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
        return queryset.filter(get_state_filter(PortalLink.State(state), timezone.now()))


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
