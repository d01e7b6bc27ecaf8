"""The admin action “Create in Alguna” for selected customers, and the same on the page of one customer.

A confirmation page comes first. Then the customers are created one by one, or left to workers with `USE_TASKS`.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import DatabaseError, router
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from alguna_portal.conf import conf
from alguna_portal.customers import Provisioned, provision
from alguna_portal.customers.provisioning import validate
from alguna_portal.exceptions import AlgunaError, AlgunaUnavailable, AuthenticationFailed
from alguna_portal.log_events import log_event
from alguna_portal.models import Customer
from alguna_portal.transactions import enqueue

from . import actions
from .actions import MAX_LISTED, ListedCustomer, Result, log_change
from .base import BaseAdmin, Message, get_customer_name

# Calls that begin before `START_SECONDS` have to end by then.
END_SECONDS = 20

logger = logging.getLogger(__name__)


class CreateInAlgunaMixin(BaseAdmin):
    """The action `create_in_alguna` and the object page of the same name."""

    @admin.action(permissions=["change"], description=gettext_lazy("Create in Alguna"))
    def create_in_alguna(self, request: HttpRequest, customers: QuerySet[Customer]) -> HttpResponse | None:
        """Ask for confirmation, then create the customers; Django redirects to the changelist."""
        if "confirmed" in request.POST:
            self._create(request, customers)
            return None
        fields = actions.get_selection_fields(request, "create_in_alguna")
        return self._confirm_creation(request, customers, {"fields": fields, "back": request.get_full_path()})

    def create_in_alguna_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for confirmation, then create one customer and redirect to its change page."""
        customer = self.get_permitted_object(request, object_id, self.has_change_permission)
        customers = self.get_queryset(request).filter(pk=customer.pk)
        back = self.add_list_filters(request, self.get_change_url(customer))
        if request.method == "POST":
            self._create(request, customers)
            return HttpResponseRedirect(back)
        return self._confirm_creation(request, customers, {"fields": [], "back": back})

    def _confirm_creation(self, request: HttpRequest, customers: QuerySet[Customer], context: Any) -> HttpResponse:
        """Show what would be done to which customer, without a call to Alguna."""
        missing, known = customers.filter(customer_id=None), customers.exclude(customer_id=None)
        missing_count, known_count = missing.count(), known.count()
        listed = [
            ListedCustomer(get_customer_name(row), self.get_change_url(row), self._get_refusals(request, row))
            for row in missing[:MAX_LISTED]
        ]
        context |= {
            "ready": [each for each in listed if not each.reasons],
            "wrong": [each for each in listed if each.reasons],
            "unlisted": missing_count - len(listed),
            "known": [ListedCustomer(get_customer_name(row), self.get_change_url(row)) for row in known[:MAX_LISTED]],
            "known_count": known_count,
            "known_unlisted": max(known_count - MAX_LISTED, 0),
            "total": missing_count,
        }
        return actions.render_confirmation_page(self, request, "create_in_alguna", _("Create in Alguna"), context)

    def _create(self, request: HttpRequest, customers: QuerySet[Customer]) -> None:
        """Create the customers that have no id, then update histories and show messages."""
        try:
            use_tasks = conf.USE_TASKS
        except ImproperlyConfigured as exc:
            self.message_user(request, str(exc), messages.ERROR)
            return
        if use_tasks:
            self._enqueue_all(request, customers)
            return
        # Before the first call, after which more customers have an id.
        known = customers.exclude(customer_id=None)
        known_count, listed = known.count(), list(known[: actions.MAX_MESSAGES])
        keys = list(customers.filter(customer_id=None).values_list("pk", flat=True))
        results: list[Result] = []
        try:
            for result in actions.run_batch(keys, partial(self._create_one, request)):
                results.append(result)
                if result.changed:
                    facts = {"id": result.changed.customer_id, "outcome": result.outcome}
                    # Translators: the customer's id in Alguna, and “created in Alguna.” or the like.
                    log_change(request, [result.changed], _("As %(id)s: %(outcome)s") % facts)
        finally:
            # If an unexpected error ends the batch, this is the only report of what was created before.
            untried_count = len(keys) - len(results)
            if len(results) + known_count <= actions.MAX_MESSAGES:
                results, known_count = [*map(_get_known_result, listed), *results], 0
            self.show_messages(request, _get_messages(results, known_count, untried_count))

    def _create_one(self, request: HttpRequest, key: Any, elapsed: float) -> Result:
        name = _("customer %(key)s") % {"key": key}
        try:
            customer = self.get_queryset(request).get(pk=key)
            name = get_customer_name(customer)
            if customer.customer_id:
                return _get_known_result(customer)
            if reasons := self._get_refusals(request, customer):
                return _get_refused_result(customer, reasons)
            return _provision(customer, within=END_SECONDS - elapsed)
        except Customer.DoesNotExist:
            return Result(name=name, level=messages.WARNING, outcome=_("deleted meanwhile."))
        except DatabaseError as exc:
            # After a deadlock, the next customer may succeed. The exception's text may quote the row.
            outcome = _("the database failed (%(failure)s). Try again.") % {"failure": type(exc).__name__}
            return Result(name=name, outcome=outcome)

    def _enqueue_all(self, request: HttpRequest, customers: QuerySet[Customer]) -> None:
        """Leave the customers that have no id to workers; report invalid data now, since workers can't."""
        # Not at the top: Django 5.2 has no tasks framework of its own.
        from alguna_portal.customers.tasks import provision_customer

        known_count = customers.exclude(customer_id=None).count()
        missing = list(customers.filter(customer_id=None))
        queued: list[Customer] = []
        results: list[Result] = []
        for customer in missing:
            if reasons := self._get_refusals(request, customer):
                results.append(_get_refused_result(customer, reasons))
                continue
            using = router.db_for_write(Customer, instance=customer)
            on_failure = partial(_report_queue_failure, customer, results)
            enqueue(provision_customer, customer.pk, using=using, on_failure=on_failure)
            if results and results[-1].stops:
                break
            queued.append(customer)
        if queued:
            log_change(request, queued, _("Queued to be created in Alguna."))
            text = ngettext(
                "%(count)d customer queued: a worker creates it in Alguna.",
                "%(count)d customers queued: workers create them in Alguna.",
                len(queued),
            )
            self.message_user(request, text % {"count": len(queued)}, messages.SUCCESS)
        untried_count = len(missing) - len(queued) - len(results)
        self.show_messages(request, _get_messages(results, known_count, untried_count))

    def _get_refusals(self, request: HttpRequest, customer: Customer) -> list[str]:
        """Return the reasons why a customer can't be sent to Alguna."""
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


def _report_queue_failure(customer: Customer, results: list[Result], exc: Exception) -> None:
    message = "Customer %(customer)s could not be enqueued (%(error)s)."
    log_event(logger.error, "customer_not_queued", message, customer=customer.pk, exc=exc)
    outcome = _("could not be queued (%(failure)s).") % {"failure": type(exc).__name__}
    results.append(Result(name=get_customer_name(customer), outcome=outcome, stops=True))


def _provision(customer: Customer, *, within: float) -> Result:
    name = get_customer_name(customer)
    try:
        provisioned = provision(customer, within=within)
    except ValidationError as exc:
        # The row has changed since it was read.
        return _get_refused_result(customer, exc.messages)
    except AlgunaUnavailable as exc:
        return Result(name=name, outcome=_("Alguna is unavailable. %(reason)s") % {"reason": exc}, stops=True)
    except (AlgunaError, ImproperlyConfigured) as exc:
        stops = isinstance(exc, (AuthenticationFailed, ImproperlyConfigured))
        return Result(name=name, outcome=_("failed. %(reason)s") % {"reason": exc}, stops=stops)
    if provisioned is Provisioned.KNOWN:
        return _get_known_result(customer)
    is_created = provisioned is Provisioned.CREATED
    outcome = _("created in Alguna.") if is_created else _("found in Alguna and adopted.")
    return Result(name=name, level=messages.SUCCESS, outcome=outcome, changed=customer)


def _get_known_result(customer: Customer) -> Result:
    return Result(name=get_customer_name(customer), level=messages.INFO, outcome=_("known already."))


def _get_refused_result(customer: Customer, reasons: Sequence[str]) -> Result:
    outcome = _("refused. %(reasons)s") % {"reasons": " ".join(reasons)}
    return Result(name=get_customer_name(customer), outcome=outcome)


def _get_messages(results: Sequence[Result], known_count: int, untried_count: int) -> Iterator[Message]:
    """Report each customer, or the number of customers with each outcome if there are many."""
    if len(results) + known_count <= actions.MAX_MESSAGES:
        for result in results:
            # Translators: the outcome is one of the texts that begin in lower case, such as “created in Alguna.”
            text = _("%(customer)s: %(outcome)s") % {"customer": result.name, "outcome": result.outcome}
            yield result.level, text
    else:
        # Successes come first, so that they are never among the rest.
        counts = Counter((result.level, result.outcome) for result in results).most_common()
        counts.sort(key=lambda counted: counted[0][0])
        for (level, outcome), count in counts[: actions.MAX_MESSAGES]:
            yield _count(count, level, outcome)
        if rest := sum(count for _key, count in counts[actions.MAX_MESSAGES :]):
            yield _count(rest, messages.ERROR, _("refused or failed, for yet other reasons."))
    if known_count:
        yield _count(known_count, messages.INFO, _("known already."))
    if untried_count:
        text = ngettext(
            "%(count)d customer was not tried. Try again later, or run “manage.py alguna_provision”.",
            "%(count)d customers were not tried. Try again later, or run “manage.py alguna_provision”.",
            untried_count,
        )
        yield messages.WARNING, text % {"count": untried_count}


def _count(count: int, level: int, outcome: str) -> Message:
    # Translators: the same outcomes, of several customers: put them so that they fit one and many.
    text = ngettext("%(count)d customer: %(outcome)s", "%(count)d customers: %(outcome)s", count)
    return level, text % {"count": count, "outcome": outcome}
