"""What Alguna has told, and what came of it: to be read and handled again, and changed by nobody. Not what it said."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _

from alguna_portal.conf import conf
from alguna_portal.models import WebhookDelivery

from . import actions
from .actions import Message, note
from .base import CommittingAdmin, RecordsAdmin
from .filters import TypeFilter

# --- from alguna_portal.admin.again

State = WebhookDelivery.State

# What may come of a message, beside the state it is in then.
QUEUED, NOT_QUEUED, BUSY, GONE = "queued", "not queued", "busy", "gone"
ALREADY, UNTRIED = "handled already", "not tried"
# What is told of each, in this order: first what went well.
TOLD: tuple[tuple[str, int, Any], ...] = (
    (
        State.HANDLED,
        messages.SUCCESS,
        ngettext_lazy("%(count)d message handled.", "%(count)d messages handled.", "count"),
    ),
    (
        QUEUED,
        messages.SUCCESS,
        ngettext_lazy(
            "%(count)d message queued: a worker handles it.",
            "%(count)d messages queued: workers handle them.",
            "count",
        ),
    ),
    (
        ALREADY,
        messages.INFO,
        ngettext_lazy(
            "%(count)d message was left out: it is handled already.",
            "%(count)d messages were left out: they are handled already.",
            "count",
        ),
    ),
    (
        BUSY,
        messages.INFO,
        ngettext_lazy(
            "%(count)d message is being handled by somebody else.",
            "%(count)d messages are being handled by somebody else.",
            "count",
        ),
    ),
    (
        GONE,
        messages.WARNING,
        ngettext_lazy(
            "%(count)d message was deleted meanwhile.", "%(count)d messages were deleted meanwhile.", "count"
        ),
    ),
    (
        State.UNMAPPED,
        messages.WARNING,
        ngettext_lazy(
            "%(count)d message tells of a plan that is not mapped. Add it to ALGUNA_PORTAL_PLAN_IDS, and handle the "
            "message again.",
            "%(count)d messages tell of plans that are not mapped. Add them to ALGUNA_PORTAL_PLAN_IDS, and handle the "
            "messages again.",
            "count",
        ),
    ),
    (
        NOT_QUEUED,
        messages.ERROR,
        ngettext_lazy("%(count)d message could not be queued.", "%(count)d messages could not be queued.", "count"),
    ),
    (
        UNTRIED,
        messages.WARNING,
        ngettext_lazy(
            "%(count)d message was not tried. Select it again later.",
            "%(count)d messages were not tried. Select them again later.",
            "count",
        ),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one message, and of what it failed; `ends`: the next one would fare no better."""

    what: str
    failure: str = ""
    # One that was handled, or queued.
    tried: WebhookDelivery | None = None
    ends: bool = False


def handle_each(keys: Iterable[Any]) -> Iterator[Outcome]:
    """Have one message after the other handled, until time is up or the queue takes no more."""
    begun = monotonic()
    for key in keys:
        if monotonic() - begun >= actions.START_SECONDS:
            return
        try:
            outcome = _handle(WebhookDelivery.objects.get(pk=key))
        except WebhookDelivery.DoesNotExist:
            outcome = Outcome(what=GONE)
        except DatabaseError as exc:
            # The next one may fare better. Without the text, which may quote what is in the row.
            outcome = Outcome(what=State.FAILED, failure=type(exc).__name__)
        yield outcome
        if outcome.ends:
            return


def _handle(delivery: WebhookDelivery) -> Outcome:
    # Not above: the admin is loaded as a site starts, and reading messages takes a library of its own.
    from alguna_portal.webhooks.inbox import process_delivery

    if delivery.state == State.HANDLED:
        # By somebody else, since it was selected.
        return Outcome(what=ALREADY)
    tries = delivery.tries
    settled = process_delivery(delivery)
    # A claim that is over is nobody's: whoever made it has crashed.
    claimed = delivery.claimed_until is not None and delivery.claimed_until > timezone.now()
    # A queue that runs its tasks at once has tried by now.
    if conf.USE_TASKS and delivery.tries == tries and (settled or not claimed):
        return Outcome(what=QUEUED, tried=delivery) if settled else Outcome(what=NOT_QUEUED, ends=True)
    if claimed:
        return Outcome(what=BUSY)
    return Outcome(what=delivery.state, failure=delivery.error, tried=delivery)


def summary(outcomes: list[Outcome], *, handled_already: int, not_tried: int) -> Iterator[Message]:
    """Tell how many came out how."""
    counts = Counter(outcome.what for outcome in outcomes)
    counts.update({ALREADY: handled_already, UNTRIED: not_tried})
    for what, level, text in TOLD:
        if count := counts[what]:
            yield level, text % {"count": count}
    failures = Counter(outcome.failure for outcome in outcomes if outcome.what == State.FAILED)
    told = failures.most_common(actions.MOST_TOLD)
    if rest := failures.total() - sum(count for _failure, count in told):
        told.append(("…", rest))
    for failure, count in told:
        text = ngettext("%(count)d message failed (%(failure)s).", "%(count)d messages failed (%(failure)s).", count)
        yield messages.ERROR, text % {"count": count, "failure": failure}


if TYPE_CHECKING:

    class WebhookDeliveryAdminBase(CommittingAdmin, admin.ModelAdmin[WebhookDelivery]): ...

else:
    WebhookDeliveryAdminBase = CommittingAdmin


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
        outcomes: list[Outcome] = []
        try:
            outcomes.extend(handle_each(keys))
        finally:
            # Whatever happens: of what was done by then, this is the only report.
            _note(request, outcomes)
            not_tried = len(keys) - len(outcomes)
            for level, text in summary(outcomes, handled_already=done, not_tried=not_tried):
                self.message_user(request, text, level)


def _note(request: HttpRequest, outcomes: list[Outcome]) -> None:
    queued = [each.tried for each in outcomes if each.tried and each.what == QUEUED]
    handled = [each.tried for each in outcomes if each.tried and each.what != QUEUED]
    note(request, queued, gettext("Queued to be handled again."))
    note(request, handled, gettext("Handling tried again."))
