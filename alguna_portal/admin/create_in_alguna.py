"""“Create in Alguna”: for a selection of customers or for one, after a page that says what will happen."""

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alguna_portal.conf import conf
from alguna_portal.customers.provisioning import validate
from alguna_portal.models import Customer

from . import creating, telling
from .actions import MOST_LISTED, AskingAdmin, Listed, selection
from .history import note
from .naming import company


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
        known = customers.exclude(customer_id=None)
        known_count, few_known = known.count(), list(known[: telling.MOST_TOLD])
        keys = list(customers.filter(customer_id=None).values_list("pk", flat=True))
        outcomes: list[creating.Outcome] = []
        try:
            for outcome in creating.create_each(
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
            if len(outcomes) + known_count <= telling.MOST_TOLD:
                outcomes, known_count = [*map(creating.known, few_known), *outcomes], 0
            for level, text in creating.summary(outcomes, known_already=known_count, not_tried=not_tried):
                self.message_user(request, text, level)

    def _queue(self, request: HttpRequest, customers: QuerySet[Customer]) -> None:
        """Leave to workers each customer whose id is not known, note it in its history, and tell."""
        known_count = customers.exclude(customer_id=None).count()
        unknown = list(customers.filter(customer_id=None))
        left, outcomes = [], []
        for customer, against in creating.queue_each(
            unknown, refusals=lambda customer: self._refusals(request, customer)
        ):
            if against:
                outcomes.append(against)
            else:
                left.append(customer)
        if left:
            note(request, left, _("Queued to be created in Alguna."))
            level, text = creating.queued(len(left))
            self.message_user(request, text, level)
        not_tried = len(unknown) - len(left) - len(outcomes)
        for level, text in creating.summary(outcomes, known_already=known_count, not_tried=not_tried):
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
