"""The admin of webhook deliveries: read-only, without their payload, and with an action that handles them again."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _

from alguna_portal.conf import conf
from alguna_portal.models import WebhookDelivery

from . import actions as admin_actions
from .actions import Result, log_change
from .base import Message, ReadOnlyAdmin, render_warning
from .filters import TypeFilter

State = WebhookDelivery.State

# The outcomes of a redelivery that aren't states.
QUEUED, NOT_QUEUED, BUSY, DELETED = "queued", "not queued", "busy", "deleted"
ALREADY_HANDLED, UNTRIED = "handled already", "not tried"
# The level of the message about an outcome, if it isn't a warning.
LEVELS = {
    State.HANDLED: messages.SUCCESS,
    QUEUED: messages.SUCCESS,
    ALREADY_HANDLED: messages.INFO,
    BUSY: messages.INFO,
    NOT_QUEUED: messages.ERROR,
}
# The texts of these messages, in the order of display.
TEXTS: dict[str, Any] = {
    State.HANDLED: ngettext_lazy("%(count)d message handled.", "%(count)d messages handled.", "count"),
    QUEUED: ngettext_lazy(
        "%(count)d message queued: a worker handles it.", "%(count)d messages queued: workers handle them.", "count"
    ),
    ALREADY_HANDLED: ngettext_lazy(
        "%(count)d message was left out: it is handled already.",
        "%(count)d messages were left out: they are handled already.",
        "count",
    ),
    BUSY: ngettext_lazy(
        "%(count)d message is being handled by somebody else.",
        "%(count)d messages are being handled by somebody else.",
        "count",
    ),
    DELETED: ngettext_lazy(
        "%(count)d message was deleted meanwhile.", "%(count)d messages were deleted meanwhile.", "count"
    ),
    State.UNMAPPED: ngettext_lazy(
        "%(count)d message tells of a plan that is not mapped. Add it to ALGUNA_PORTAL_PLAN_IDS, and handle the "
        "message again.",
        "%(count)d messages tell of plans that are not mapped. Add them to ALGUNA_PORTAL_PLAN_IDS, and handle the "
        "messages again.",
        "count",
    ),
    NOT_QUEUED: ngettext_lazy(
        "%(count)d message could not be queued.", "%(count)d messages could not be queued.", "count"
    ),
    UNTRIED: ngettext_lazy(
        "%(count)d message was not tried. Select it again later.",
        "%(count)d messages were not tried. Select them again later.",
        "count",
    ),
}


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    """Webhook deliveries without their payload."""

    list_display = ["received_at", "type", "message_id", "state", "tries", "error"]
    list_filter = ["state", TypeFilter]
    date_hierarchy = "received_at"
    search_fields = ["message_id", "type"]
    search_help_text = _("Search by a message's id or type.")
    actions = ["handle_again"]
    non_atomic_actions = frozenset({"handle_again"})
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
        """Return False: a deleted message would be handled again if Alguna sent it again. `alguna_prune` deletes."""
        return False

    def has_handle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("alguna_portal.change_webhookdelivery")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        """Don't load the payload, which isn't displayed."""
        return super().get_queryset(request).defer("payload")

    @admin.display(description=_("state"))
    def outcome(self, delivery: WebhookDelivery) -> SafeString | str:
        label = delivery.get_state_display()
        if delivery.state != State.UNMAPPED:
            return label
        remedy = gettext("Add the plan to ALGUNA_PORTAL_PLAN_IDS, and handle the message again.")
        return render_warning(label, remedy)

    @admin.display(description=_("handled by"))
    def handled_by(self, delivery: WebhookDelivery) -> SafeString | str:
        return format_html_join("", "<div>{}</div>", ((name,) for name in delivery.done)) or "-"

    @admin.action(permissions=["handle"], description=_("Handle again"))
    def handle_again(self, request: HttpRequest, deliveries: QuerySet[WebhookDelivery]) -> None:
        """Run the receivers that haven't handled each message, the oldest message first; then report the results."""
        try:
            _used = conf.USE_TASKS
        except ImproperlyConfigured as exc:
            self.message_user(request, str(exc), messages.ERROR)
            return
        handled_count = deliveries.filter(state=State.HANDLED).count()
        waiting = deliveries.exclude(state=State.HANDLED).order_by("received_at", "pk")
        keys = list(waiting.values_list("pk", flat=True))
        results: list[Result] = []
        try:
            results.extend(admin_actions.run_batch(keys, _handle))
        finally:
            # If an unexpected error ends the batch, this is the only report of what was done before.
            queued = [each.changed for each in results if each.changed and each.outcome == QUEUED]
            handled = [each.changed for each in results if each.changed and each.outcome != QUEUED]
            log_change(request, queued, gettext("Queued to be handled again."))
            log_change(request, handled, gettext("Handling tried again."))
            counts = Counter(each.outcome for each in results)
            counts.update({ALREADY_HANDLED: handled_count, UNTRIED: len(keys) - len(results)})
            errors = Counter(each.error for each in results if each.outcome == State.FAILED)
            self.show_messages(request, _get_messages(counts, errors))


def _handle(key: Any, _elapsed: float) -> Result:
    # Not at the top: the admin is loaded at start-up, and parsing messages needs a library of its own.
    from alguna_portal.webhooks.inbox import process_delivery

    try:
        delivery = WebhookDelivery.objects.get(pk=key)
        if delivery.state == State.HANDLED:
            # Another process has handled it since it was selected.
            return Result(outcome=ALREADY_HANDLED)
        tries = delivery.tries
        is_settled = process_delivery(delivery)
    except WebhookDelivery.DoesNotExist:
        return Result(outcome=DELETED)
    except DatabaseError as exc:
        # The next message may succeed. The exception's text may quote the row.
        return Result(outcome=State.FAILED, error=type(exc).__name__)
    # An expired claim belongs to a process that has crashed.
    is_claimed = delivery.claimed_until is not None and delivery.claimed_until > timezone.now()
    # If the backend runs its tasks immediately, the number of tries has increased.
    if conf.USE_TASKS and delivery.tries == tries and (is_settled or not is_claimed):
        return Result(outcome=QUEUED, changed=delivery) if is_settled else Result(outcome=NOT_QUEUED, stops=True)
    if is_claimed:
        return Result(outcome=BUSY)
    return Result(outcome=delivery.state, error=delivery.error, changed=delivery)


def _get_messages(counts: Counter[str], errors: Counter[str]) -> Iterator[Message]:
    """Report the number of messages with each outcome, and of failed messages with each error."""
    for outcome, text in TEXTS.items():
        if count := counts[outcome]:
            yield LEVELS.get(outcome, messages.WARNING), text % {"count": count}
    failures = errors.most_common(admin_actions.MAX_MESSAGES)
    if rest := errors.total() - sum(count for _error, count in failures):
        failures.append(("…", rest))
    for error, count in failures:
        text = ngettext("%(count)d message failed (%(failure)s).", "%(count)d messages failed (%(failure)s).", count)
        yield messages.ERROR, text % {"count": count, "failure": error}
