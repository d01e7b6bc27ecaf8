"""“Send portal link”: to a selection of customers or to one, after a page that says who gets mail."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alguna_portal.conf import conf
from alguna_portal.links import LinkNotSent, Posted, send_link, send_links
from alguna_portal.models import Customer
from alguna_portal.models.portal_link import masked

from . import posting, telling
from .actions import MOST_LISTED, Listed, selection
from .create_in_alguna import ProvisioningAdmin
from .history import author, note
from .link_form import LinkForm, problem, unwritable
from .naming import company


@dataclass(kw_only=True)
class Group:
    """Customers of whom the same is to be said: all counted, and as many listed as a page can show."""

    listed: list[Listed] = field(default_factory=list)
    count: int = 0

    def add(self, customer: Listed) -> None:
        """Count one, and list it where there is room."""
        self.count += 1
        if len(self.listed) < MOST_LISTED:
            self.listed.append(customer)

    @property
    def unlisted(self) -> int:
        """How many are only counted."""
        return self.count - len(self.listed)


class SendingAdmin(ProvisioningAdmin):
    """The action, and the page of its own that one customer has for it."""

    actions = [*ProvisioningAdmin.actions, "send_portal_link"]
    committing_actions = ProvisioningAdmin.committing_actions | {"send_portal_link"}

    class Media:
        css = {"all": ["alguna_portal/admin.css"]}

    def get_urls(self) -> list[URLPattern]:
        """Add the page."""
        return [self._door("send_portal_link", self.send_one_portal_link), *super().get_urls()]

    def has_send_portal_link_permission(self, request: HttpRequest) -> bool:
        """Say whether a user may send links: a right of its own, since whoever has a link needs no account."""
        return request.user.has_perm("alguna_portal.send_portallink")

    @admin.action(permissions=["send_portal_link"], description=gettext_lazy("Send portal link"))
    def send_portal_link(self, request: HttpRequest, customers: QuerySet[Customer]) -> HttpResponse | None:
        """Ask, then send; Django leads back to the list."""
        fields, back = selection(request, "send_portal_link"), request.get_full_path()
        if trouble := problem():
            return self._ask_whom(request, customers, None, trouble=trouble, fields=[], back=back)
        form = LinkForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self._ask_whom(request, customers, form, fields=fields, back=back)
        self._send(request, list(customers), form)
        return None

    def send_one_portal_link(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then send; lead back to the customer's page."""
        if not self.has_send_portal_link_permission(request):
            raise PermissionDenied
        customer = self._row(request, object_id, lambda customer: self.has_view_permission(request, customer))
        customers = self.get_queryset(request).filter(pk=customer.pk)
        back = self._keep_filters(request, self.page_of(customer))
        if trouble := problem():
            return self._ask_whom(request, customers, None, trouble=trouble, fields=[], back=back)
        form = LinkForm(request.POST if request.method == "POST" else None, customer=customer)
        if not form.is_valid():
            return self._ask_whom(request, customers, form, fields=[], back=back)
        self._send(request, [customer], form)
        return HttpResponseRedirect(back)

    def _ask_whom(
        self,
        request: HttpRequest,
        customers: QuerySet[Customer],
        form: LinkForm | None,
        *,
        fields: list[tuple[str, str]],
        back: str,
        trouble: str = "",
    ) -> HttpResponse:
        """Show who would get mail, and ask what stands in it. Without a form, there is only the trouble to tell."""
        context: dict[str, Any] = {"trouble": trouble, "form": form, "fields": fields, "back": back}
        if form:
            now = timezone.now()
            ends = now + conf.LINK_MAX_AGE
            ready, without = self._sorted(request, customers)
            context |= {
                "ready": ready,
                "without": without,
                # One customer without an address can still have somebody else written to.
                "total": max(ready.count, 1 if form.customer else 0),
                "life": timesince(now, ends),
                "ends": ends,
                "uses": conf.LINK_MAX_USES,
                "queued": conf.USE_TASKS,
            }
        return self._question(request, "send_portal_link", _("Send portal link"), context)

    def _sorted(self, request: HttpRequest, customers: QuerySet[Customer]) -> tuple[Group, Group]:
        ready, without = Group(), Group()
        for customer in customers.iterator():
            who, url = company(customer), self.page_of(customer)
            if not self.has_view_permission(request, customer):
                without.add(Listed(name=who, url=url, reasons=[_("You may not view this customer.")]))
            elif reason := unwritable(customer):
                without.add(Listed(name=who, url=url, reasons=[reason]))
            else:
                ready.add(Listed(name=who, url=url, address=masked(customer.email)))
        return ready, without

    def _send(self, request: HttpRequest, customers: list[Customer], form: LinkForm) -> None:
        """Send the links, note them in the customers' histories, and tell."""
        seen: list[Customer] = []
        hidden: list[Customer] = []
        for customer in customers:
            (seen if self.has_view_permission(request, customer) else hidden).append(customer)
        choice = {"role": form.cleaned_data["role"], "note": form.cleaned_data["note"]}
        to = form.cleaned_data.get("to")
        by, posted = author(request), Posted()
        try:
            if to:
                posted.sent.append(send_link(seen[0], to=to, sent_by=by, **choice))
            else:
                send_links(seen, sent_by=by, within=telling.START_SECONDS, posted=posted, **choice)
        except LinkNotSent as exc:
            # Its text is for programs; what it failed of is told as of any other.
            posted.failed.append((seen[0], exc.failure))
        except BaseException:
            level, text = posting.broken_off(len(seen), posted)
            self.message_user(request, text, level)
            raise
        finally:
            # Whatever happens: of what was mailed by then, this is the only report.
            note(request, [link.customer for link in posted.sent], posting.noted())
            for level, text in posting.report(posted, hidden, self.page_of):
                self.message_user(request, text, level)
