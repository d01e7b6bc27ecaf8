"""Messages of Alguna's handled once more, in bounded time or by workers, and what is told of it: no word of theirs."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any

from django.contrib import messages
from django.db import DatabaseError
from django.utils import timezone
from django.utils.translation import ngettext, ngettext_lazy

from alguna_portal.conf import conf
from alguna_portal.models import WebhookDelivery

from . import telling
from .telling import Message

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
        if monotonic() - begun >= telling.START_SECONDS:
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
    from alguna_portal.webhooks.inbox import have_handled

    if delivery.state == State.HANDLED:
        # By somebody else, since it was selected.
        return Outcome(what=ALREADY)
    tries = delivery.tries
    settled = have_handled(delivery)
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
    told = failures.most_common(telling.MOST_TOLD)
    if rest := failures.total() - sum(count for _failure, count in told):
        told.append(("…", rest))
    for failure, count in told:
        text = ngettext("%(count)d message failed (%(failure)s).", "%(count)d messages failed (%(failure)s).", count)
        yield messages.ERROR, text % {"count": count, "failure": failure}
