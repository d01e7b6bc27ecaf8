"""“Create in Alguna”: for a selection of customers or for one, after a page that says what will happen."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import DatabaseError, router, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from alguna_portal.conf import conf
from alguna_portal.customers import Provisioned, provision
from alguna_portal.customers.provisioning import validate
from alguna_portal.exceptions import AlgunaError, AlgunaUnavailable, AuthenticationFailed
from alguna_portal.log_events import log_event
from alguna_portal.models import Customer

from . import actions
from .actions import MOST_LISTED, AskingAdmin, Listed, Message, note, selection
from .base import company

# --- from alguna_portal.admin.creating

# What is begun late has to end by then.
END_SECONDS = 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one customer, in words that others may share; `ends`: the next one would fare no better."""

    who: str
    what: str
    level: int
    ends: bool = False
    # One that Alguna has, and whose id was not known before.
    new: Customer | None = None

    @property
    def message(self) -> Message:
        """Tell of this customer alone."""
        # Translators: the outcome is one of the texts that begin in lower case, such as “created in Alguna.”
        return self.level, _("%(customer)s: %(outcome)s") % {"customer": self.who, "outcome": self.what}


def create_each(
    keys: Iterable[Any], *, read: Callable[[Any], Customer], refusals: Callable[[Customer], list[str]]
) -> Iterator[Outcome]:
    """Provide for one customer after the other, until time is up or Alguna is not to be asked.

    Each is read when its turn has come: what it says by then is what is sent.
    """
    begun = monotonic()
    for key in keys:
        passed = monotonic() - begun
        if passed >= actions.START_SECONDS:
            return
        who = _("customer %(key)s") % {"key": key}
        try:
            customer = read(key)
            who = company(customer)
            outcome = _create(customer, refusals, within=END_SECONDS - passed)
        except Customer.DoesNotExist:
            outcome = Outcome(who=who, level=messages.WARNING, what=_("deleted meanwhile."))
        except DatabaseError as exc:
            # The next one may fare better, as after a deadlock. Without the text, which may quote what is in the row.
            what = _("the database failed (%(failure)s). Try again.") % {"failure": type(exc).__name__}
            outcome = Outcome(who=who, level=messages.ERROR, what=what)
        yield outcome
        if outcome.ends:
            return


def queue_each(
    customers: Iterable[Customer], *, refusals: Callable[[Customer], list[str]]
) -> Iterator[tuple[Customer, Outcome | None]]:
    """Leave each customer to a worker; yield it with what stood against that, or None.

    What is wrong with its data is said at once: a worker could tell nobody.
    """
    for customer in customers:
        if refused := _refused(customer, refusals):
            yield customer, refused
            continue
        failures: list[str] = []
        # In a transaction, a worker would look for a row that nobody else can see yet.
        using = router.db_for_write(Customer, instance=customer)
        transaction.on_commit(partial(_enqueue, customer.pk, failures), using=using)
        for failure in failures:
            what = _("could not be queued (%(failure)s).") % {"failure": failure}
            yield customer, Outcome(who=company(customer), level=messages.ERROR, what=what, ends=True)
            return
        yield customer, None


def queued(count: int) -> Message:
    """Say how many are left to workers."""
    text = ngettext(
        "%(count)d customer queued: a worker creates it in Alguna.",
        "%(count)d customers queued: workers create them in Alguna.",
        count,
    )
    return messages.SUCCESS, text % {"count": count}


def known(customer: Customer) -> Outcome:
    """Say that there was nothing to do."""
    return Outcome(who=company(customer), level=messages.INFO, what=_("known already."))


def summary(outcomes: list[Outcome], *, known_already: int, not_tried: int) -> Iterator[Message]:
    """Tell of each customer, or of many by what came of them; `known_already` are not among the outcomes."""
    if len(outcomes) + known_already <= actions.MOST_TOLD:
        yield from (outcome.message for outcome in outcomes)
    else:
        yield from _counted(outcomes)
    if known_already:
        yield _count(known_already, messages.INFO, _("known already."))
    if not_tried:
        left = ngettext(
            "%(count)d customer was not tried. Try again later, or run “manage.py alguna_provision”.",
            "%(count)d customers were not tried. Try again later, or run “manage.py alguna_provision”.",
            not_tried,
        )
        yield messages.WARNING, left % {"count": not_tried}


def _counted(outcomes: list[Outcome]) -> Iterator[Message]:
    counts = Counter((outcome.level, outcome.what) for outcome in outcomes).most_common()
    # What went well first: that is never what is left out.
    counts.sort(key=lambda counted: counted[0][0])
    for (level, what), count in counts[: actions.MOST_TOLD]:
        yield _count(count, level, what)
    if rest := sum(count for _key, count in counts[actions.MOST_TOLD :]):
        yield _count(rest, messages.ERROR, _("refused or failed, for yet other reasons."))


def _count(count: int, level: int, what: str) -> Message:
    # Translators: the same outcomes, of several customers: put them so that they fit one and many.
    text = ngettext("%(count)d customer: %(outcome)s", "%(count)d customers: %(outcome)s", count)
    return level, text % {"count": count, "outcome": what}


def _create(customer: Customer, refusals: Callable[[Customer], list[str]], *, within: float) -> Outcome:
    if customer.customer_id:
        return known(customer)
    if refused := _refused(customer, refusals):
        return refused
    who = company(customer)
    try:
        how = provision(customer, within=within)
    except ValidationError as exc:
        # Right when it was read, and changed since.
        return _refusal(customer, exc.messages)
    except AlgunaUnavailable as exc:
        what = _("Alguna is unavailable. %(reason)s") % {"reason": exc}
        return Outcome(who=who, level=messages.ERROR, what=what, ends=True)
    except (AlgunaError, ImproperlyConfigured) as exc:
        ends = isinstance(exc, (AuthenticationFailed, ImproperlyConfigured))
        what = _("failed. %(reason)s") % {"reason": exc}
        return Outcome(who=who, level=messages.ERROR, what=what, ends=ends)
    if how is Provisioned.KNOWN:
        return known(customer)
    created = how is Provisioned.CREATED
    what = _("created in Alguna.") if created else _("found in Alguna and adopted.")
    return Outcome(who=who, level=messages.SUCCESS, what=what, new=customer)


def _enqueue(key: Any, failures: list[str]) -> None:
    """Leave a customer to a worker; report what the queue will not take, as far as there is still somebody to tell."""
    # Not above: Django 5.2 has no tasks framework of its own.
    from alguna_portal.customers.tasks import provision_customer

    try:
        provision_customer.enqueue(key)
    except Exception as exc:  # noqa: BLE001  (queues raise what they like, and texts of theirs may hold passwords)
        failures.append(type(exc).__name__)
        message = "Customer %(customer)s could not be enqueued (%(error)s)."
        log_event(logger.error, "customer_not_queued", message, customer=key, exc=exc)


def _refused(customer: Customer, refusals: Callable[[Customer], list[str]]) -> Outcome | None:
    reasons = refusals(customer)
    return _refusal(customer, reasons) if reasons else None


def _refusal(customer: Customer, reasons: list[str]) -> Outcome:
    what = _("refused. %(reasons)s") % {"reasons": " ".join(reasons)}
    return Outcome(who=company(customer), level=messages.ERROR, what=what)


class ProvisioningAdmin(AskingAdmin):
    """The action, and the page of its own that one customer has for it."""

    actions = ["create_in_alguna"]
    committing_actions = frozenset({"create_in_alguna"})

    def get_urls(self) -> list[URLPattern]:
        """Add the page."""
        return [self._door("create_in_alguna", self.create_one_in_alguna), *super().get_urls()]

    @admin.action(permissions=["change"], description=gettext_lazy("Create in Alguna"))
    def create_in_alguna(self, request: HttpRequest, customers: QuerySet[Customer]) -> HttpResponse | None:
        """Ask, then create; Django leads back to the list."""
        if "confirmed" in request.POST:
            self._create(request, customers)
            return None
        fields = selection(request, "create_in_alguna")
        return self._ask(request, customers, fields=fields, back=request.get_full_path())

    def create_one_in_alguna(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then create; lead back to the customer's page."""
        customer = self._row(request, object_id, lambda customer: self.has_change_permission(request, customer))
        customers = self.get_queryset(request).filter(pk=customer.pk)
        back = self._keep_filters(request, self.page_of(customer))
        if request.method == "POST":
            self._create(request, customers)
            return HttpResponseRedirect(back)
        return self._ask(request, customers, fields=[], back=back)

    def _ask(
        self, request: HttpRequest, customers: QuerySet[Customer], *, fields: list[tuple[str, str]], back: str
    ) -> HttpResponse:
        """Show what would be done to whom. Nobody is asked for this but the database."""
        unknown, known = customers.filter(customer_id=None), customers.exclude(customer_id=None)
        listed = [
            Listed(name=company(each), url=self.page_of(each), reasons=self._refusals(request, each))
            for each in unknown[:MOST_LISTED]
        ]
        unknown_count, known_count = unknown.count(), known.count()
        context = {
            "ready": [each for each in listed if not each.reasons],
            "wrong": [each for each in listed if each.reasons],
            "unlisted": unknown_count - len(listed),
            "known": [Listed(name=company(each), url=self.page_of(each)) for each in known[:MOST_LISTED]],
            "known_count": known_count,
            "known_unlisted": max(known_count - MOST_LISTED, 0),
            "total": unknown_count,
            "fields": fields,
            "back": back,
        }
        return self._question(request, "create_in_alguna", _("Create in Alguna"), context)

    def _create(self, request: HttpRequest, customers: QuerySet[Customer]) -> None:
        """Provide for each customer whose id is not known, note it in its history, and tell."""
        try:
            leave_to_workers = conf.USE_TASKS
        except ImproperlyConfigured as exc:
            self.message_user(request, str(exc), messages.ERROR)
            return
        if leave_to_workers:
            self._queue(request, customers)
            return
        # All of this before the first call, after which more are known.
        with_id = customers.exclude(customer_id=None)
        known_count, few_known = with_id.count(), list(with_id[: actions.MOST_TOLD])
        keys = list(customers.filter(customer_id=None).values_list("pk", flat=True))
        outcomes: list[Outcome] = []
        try:
            for outcome in create_each(
                keys,
                read=lambda key: self.get_queryset(request).get(pk=key),
                refusals=lambda customer: self._refusals(request, customer),
            ):
                outcomes.append(outcome)
                if outcome.new:
                    facts = {"id": outcome.new.customer_id, "outcome": outcome.what}
                    # Translators: the customer's id in Alguna, and “created in Alguna.” or the like.
                    note(request, [outcome.new], _("As %(id)s: %(outcome)s") % facts)
        finally:
            # Whatever happens: of what was done by then, this is the only report.
            not_tried = len(keys) - len(outcomes)
            if len(outcomes) + known_count <= actions.MOST_TOLD:
                outcomes, known_count = [*map(known, few_known), *outcomes], 0
            for level, text in summary(outcomes, known_already=known_count, not_tried=not_tried):
                self.message_user(request, text, level)

    def _queue(self, request: HttpRequest, customers: QuerySet[Customer]) -> None:
        """Leave to workers each customer whose id is not known, note it in its history, and tell."""
        known_count = customers.exclude(customer_id=None).count()
        unknown = list(customers.filter(customer_id=None))
        left, outcomes = [], []
        for customer, against in queue_each(unknown, refusals=lambda customer: self._refusals(request, customer)):
            if against:
                outcomes.append(against)
            else:
                left.append(customer)
        if left:
            note(request, left, _("Queued to be created in Alguna."))
            level, text = queued(len(left))
            self.message_user(request, text, level)
        not_tried = len(unknown) - len(left) - len(outcomes)
        for level, text in summary(outcomes, known_already=known_count, not_tried=not_tried):
            self.message_user(request, text, level)

    def _refusals(self, request: HttpRequest, customer: Customer) -> list[str]:
        """Say, field by field, why a customer would not be sent to Alguna."""
        if not self.has_change_permission(request, customer):
            return [_("You may not change this customer.")]
        try:
            validate(customer)
        except ValidationError as exc:
            labels = {each.name: capfirst(each.verbose_name) for each in Customer._meta.fields}
            return [
                _("%(field)s: %(reason)s") % {"field": labels[name], "reason": reason}
                for name, reasons in exc.message_dict.items()
                for reason in reasons
            ]
        return []
