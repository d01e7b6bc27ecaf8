"""Plans as the admin shows them beside a customer: what Alguna said of them last, and what stands against it now."""

from django.contrib.admin.utils import display_for_value
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from alguna_portal.conf import conf
from alguna_portal.models import Customer
from alguna_portal.redaction import quotable_id


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
        return _("Not asked for yet")
    facts = {"plan": quotable_id(customer.plan_id), "when": display_for_value(customer.plan_synced_at, "")}
    if not customer.plan_id:
        # Translators: Alguna has no plan of a customer; a date and a time.
        return _("None (asked on %(when)s)") % facts
    # Translators: Alguna's id of a plan; a date and a time.
    said = _("%(plan)s (asked on %(when)s)") % facts
    try:
        mapped = conf.PLAN_IDS
    except ImproperlyConfigured as exc:
        return _with(said, exc)
    if not mapped or mapped.get(customer.plan_id) == customer.plan:
        return said
    if customer.plan_id in mapped:
        warning = _("That is “%(mapped)s”, which is not stored here yet: run “manage.py alguna_sync_plans”.")
        facts["mapped"] = mapped[customer.plan_id]
    else:
        warning = _(
            "It is not mapped, so the plan here was left as it is. Add %(plan)s to ALGUNA_PORTAL_PLAN_IDS, and run "
            "“manage.py alguna_sync_plans”."
        )
    return _with(said, warning % facts)


def _with(said: str, warning: object) -> SafeString:
    """Put a warning under what Alguna said: no sign between them, since each language has its own."""
    return format_html("<div>{}</div><strong>{}</strong>", said, warning)
