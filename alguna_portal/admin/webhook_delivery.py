"""What Alguna has told, and what came of it: to be read and handled again, and changed by nobody. Not what it said."""

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from alguna_portal.conf import conf
from alguna_portal.models import WebhookDelivery

from . import again
from .base import RecordsAdmin
from .filters import TypeFilter
from .history import note
from .transactions import CommittingAdmin

if TYPE_CHECKING:

    class WebhookDeliveryAdminBase(CommittingAdmin, admin.ModelAdmin[WebhookDelivery]): ...

else:
    WebhookDeliveryAdminBase = CommittingAdmin

State = WebhookDelivery.State


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(RecordsAdmin, WebhookDeliveryAdminBase):
    """Messages, without what they say."""

    list_display = ["received_at", "type", "message_id", "state", "tries", "error"]
    list_filter = ["state", TypeFilter]
    date_hierarchy = "received_at"
    search_fields = ["message_id", "type"]
    search_help_text = _("Search by a message's id or type.")
    show_full_result_count = False
    actions = ["handle_again"]
    committing_actions = frozenset({"handle_again"})
    fields = (
        "type",
        "message_id",
        "outcome",
        "tries",
        "error",
        "handled_by",
        "sent_at",
        "received_at",
        "handled_at",
        "claimed_until",
    )
    readonly_fields = fields

    def has_delete_permission(self, request: HttpRequest, obj: WebhookDelivery | None = None) -> bool:  # noqa: ARG002
        """What is forgotten would be handled anew, if it came again; old rows go with `alguna_prune`."""
        return False

    def has_handle_permission(self, request: HttpRequest) -> bool:
        """Say whether a user may have messages handled."""
        return request.user.has_perm("alguna_portal.change_webhookdelivery")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        """Leave in the database what nobody sees."""
        return super().get_queryset(request).defer("payload")

    @admin.display(description=_("state"))
    def outcome(self, delivery: WebhookDelivery) -> SafeString | str:
        """Name the state; for a plan that is not mapped, with the remedy."""
        label = delivery.get_state_display()
        if delivery.state != State.UNMAPPED:
            return label
        remedy = gettext("Add the plan to ALGUNA_PORTAL_PLAN_IDS, and handle the message again.")
        return format_html("<div>{}</div><strong>{}</strong>", label, remedy)

    @admin.display(description=_("handled by"))
    def handled_by(self, delivery: WebhookDelivery) -> SafeString | str:
        """Name those who are done with it, one a line."""
        return format_html_join("", "<div>{}</div>", ((name,) for name in delivery.done)) or "-"

    @admin.action(permissions=["handle"], description=_("Handle again"))
    def handle_again(self, request: HttpRequest, deliveries: QuerySet[WebhookDelivery]) -> None:
        """Have each handled by those who are not done with it, the earliest first, note it in its history, and tell."""
        try:
            _used = conf.USE_TASKS
        except ImproperlyConfigured as exc:
            self.message_user(request, str(exc), messages.ERROR)
            return
        done = deliveries.filter(state=State.HANDLED).count()
        waiting = deliveries.exclude(state=State.HANDLED).order_by("received_at", "pk")
        keys = list(waiting.values_list("pk", flat=True))
        outcomes: list[again.Outcome] = []
        try:
            outcomes.extend(again.handle_each(keys))
        finally:
            # Whatever happens: of what was done by then, this is the only report.
            _note(request, outcomes)
            not_tried = len(keys) - len(outcomes)
            for level, text in again.summary(outcomes, handled_already=done, not_tried=not_tried):
                self.message_user(request, text, level)


def _note(request: HttpRequest, outcomes: list[again.Outcome]) -> None:
    queued = [each.tried for each in outcomes if each.tried and each.what == again.QUEUED]
    handled = [each.tried for each in outcomes if each.tried and each.what != again.QUEUED]
    note(request, queued, gettext("Queued to be handled again."))
    note(request, handled, gettext("Handling tried again."))
