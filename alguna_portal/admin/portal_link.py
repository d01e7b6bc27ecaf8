"""Links that were mailed: what each is worth, to be seen at a glance, revoked or sent again, and changed by nobody."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from alguna_portal.models import PortalLink

from .base import RecordsAdmin
from .filters import CustomerFilter, StateFilter
from .link_actions import LinkActionsAdmin
from .naming import company, person


@admin.register(PortalLink)
class PortalLinkAdmin(RecordsAdmin, LinkActionsAdmin):
    """Mailed links, without what would open a portal."""

    list_display = ["created_at", "worth", "customer_name", "masked_recipient", "role", "used", "expires_at", "sender"]
    list_filter = [StateFilter, "role", CustomerFilter]
    date_hierarchy = "created_at"
    search_fields = ["customer__name", "customer__alias", "=recipient"]
    search_help_text = _("Search by a customer's name or alias, or by a recipient's whole address.")
    show_full_result_count = False
    fields = (
        "customer_name",
        "masked_recipient",
        "role",
        "note",
        "worth",
        "used",
        "last_used_at",
        "sender",
        "created_at",
        "sent_at",
        "failure",
        "expires_at",
        "revoked_at",
        "renewable_until",
        "renewed_at",
    )
    readonly_fields = fields

    class Media:
        css = {"all": ["alguna_portal/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[PortalLink]:
        """Read customers and senders along: one query, however many rows."""
        return super().get_queryset(request).select_related("customer", "sent_by")

    @admin.display(description=_("customer"), ordering="customer__name")
    def customer_name(self, link: PortalLink) -> SafeString | str:
        """Name the customer, and lead to its page, where this admin has one."""
        name = company(link.customer)
        url = self.page_of(link.customer)
        return format_html('<a href="{}">{}</a>', url, name) if url else name

    @admin.display(description=_("recipient"))
    def masked_recipient(self, link: PortalLink) -> str:
        """Show as much of the address as those need who know it."""
        return link.masked_recipient

    @admin.display(description=pgettext_lazy("of a link", "state"))
    def worth(self, link: PortalLink) -> SafeString:
        """Show the state as a label: a word, whose colour says the same once more; and what a mail failed of."""
        state = link.state
        label = format_html('<span class="alguna-portal-state alguna-portal-{}">{}</span>', state.value, state.label)
        return format_html("{} {}", label, link.failure) if state is PortalLink.State.FAILED else label

    @admin.display(description=_("uses"), ordering="uses")
    def used(self, link: PortalLink) -> str:
        """Say how often the link was used, and of how many times."""
        if link.max_uses is None:
            return str(link.uses)
        # Translators: how often a link was used, of how many times at most.
        return gettext("%(uses)d of %(most)d") % {"uses": link.uses, "most": link.max_uses}

    @admin.display(description=_("sent by"))
    def sender(self, link: PortalLink) -> str:
        """Name the sender; a renewal has none."""
        if link.renews_id and not link.sent_by_id:
            return gettext("asked for by the recipient")
        return person(link.sent_by, "") or "-"
