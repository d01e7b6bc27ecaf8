"""“Send portal link”: to a selection of customers or to one, after a page that says who gets mail."""

from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured, PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, URLPattern
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from alguna_portal.conf import conf
from alguna_portal.links import LinkNotSent, SendResult, get_link_url, send_link, send_links
from alguna_portal.models import Customer, PortalLink
from alguna_portal.models.portal_link import mask_email
from alguna_portal.roles import Role

from . import actions
from .actions import MOST_LISTED, Listed, author, note, selection
from .base import company
from .create_in_alguna import ProvisioningAdmin

# --- from alguna_portal.admin.link_form


class NoteField(forms.CharField):
    """A text whose lines end as browsers count them: with one character."""

    def to_python(self, value: Any) -> str:
        """Normalize the ends of lines, before anybody counts."""
        return str(super().to_python(value)).replace("\r\n", "\n")


class LinkForm(forms.Form):
    """Role and note, and, of a link for one customer, the recipient."""

    to = forms.EmailField(
        label=_("Send to"),
        required=False,
        max_length=PortalLink._meta.get_field("recipient").max_length,
        help_text=_("Another recipient, for this link alone. Leave it empty for the customer's own address."),
        widget=forms.EmailInput(attrs={"class": "vTextField", "autocomplete": "off"}),
    )
    role = forms.ChoiceField(
        label=_("Role"),
        choices=Role.choices,
        widget=forms.RadioSelect,
        help_text=_(
            "A manager's link can do in the portal what the customer's plan allows. A viewer's link only shows: it "
            "cannot change the plan, nor how it is paid, nor the billing details."
        ),
    )
    note = NoteField(
        label=_("Note"),
        required=False,
        max_length=PortalLink._meta.get_field("note").max_length,
        help_text=_("Stands in the mail, as plain text."),
        widget=forms.Textarea(attrs={"class": "vLargeTextField", "rows": 5}),
    )

    def __init__(self, data: Any = None, *, customer: Customer | None = None) -> None:
        """Ask for links to customers' own addresses; for one `customer`, for a recipient, too."""
        super().__init__(data, initial={"role": conf.LINK_ROLE})
        self.customer = customer
        if customer is None:
            del self.fields["to"]

    def clean_to(self) -> str:
        """Want a recipient where the customer has no address that can be written to."""
        to = str(self.cleaned_data["to"])
        if not to and self.customer and (reason := unwritable(self.customer)):
            raise ValidationError(reason)
        return to


def unwritable(customer: Customer) -> str:
    """Say why a customer's own address cannot be written to; nothing where it can."""
    if not customer.email:
        return gettext("The customer has no e-mail address.")
    return "" if writable(customer.email) else gettext("The customer's e-mail address is malformed.")


def writable(address: str) -> bool:
    """Say whether an address is well-formed."""
    try:
        validate_email(address)
    except ValidationError:
        return False
    return True


def problem() -> str:
    """Say why no link could be sent to anybody; nothing where all is set up."""
    try:
        get_link_url(PortalLink())
        _used = (conf.LINK_ROLE, conf.LINK_MAX_AGE, conf.LINK_MAX_USES, conf.SUPPORT_CONTACT, conf.USE_TASKS)
    except ImproperlyConfigured as exc:
        return str(exc)
    except NoReverseMatch:
        return gettext("The site has no addresses for links: include “alguna_portal.urls” in its URLs.")
    return ""


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

    @admin.action(permissions=["send_portal_link"], description=_("Send portal link"))
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
        return self._question(request, "send_portal_link", gettext("Send portal link"), context)

    def _sorted(self, request: HttpRequest, customers: QuerySet[Customer]) -> tuple[Group, Group]:
        ready, without = Group(), Group()
        for customer in customers.iterator():
            who, url = company(customer), self.page_of(customer)
            if not self.has_view_permission(request, customer):
                without.add(Listed(name=who, url=url, reasons=[gettext("You may not view this customer.")]))
            elif reason := unwritable(customer):
                without.add(Listed(name=who, url=url, reasons=[reason]))
            else:
                ready.add(Listed(name=who, url=url, address=mask_email(customer.email)))
        return ready, without

    def _send(self, request: HttpRequest, customers: list[Customer], form: LinkForm) -> None:
        """Send the links, note them in the customers' histories, and tell."""
        seen: list[Customer] = []
        hidden: list[Customer] = []
        for customer in customers:
            (seen if self.has_view_permission(request, customer) else hidden).append(customer)
        choice = {"role": form.cleaned_data["role"], "note": form.cleaned_data["note"]}
        to = form.cleaned_data.get("to")
        by, posted = author(request), SendResult()
        try:
            if to:
                posted.sent.append(send_link(seen[0], to=to, sent_by=by, **choice))
            else:
                send_links(seen, sent_by=by, within=actions.START_SECONDS, result=posted, **choice)
        except LinkNotSent as exc:
            # Its text is for programs; what it failed of is told as of any other.
            posted.failed.append((seen[0], exc.failure))
        except BaseException:
            level, text = actions.broken_off(len(seen), posted)
            self.message_user(request, text, level)
            raise
        finally:
            # Whatever happens: of what was mailed by then, this is the only report.
            note(request, [link.customer for link in posted.sent], actions.noted())
            for level, text in actions.report(posted, hidden, self.page_of):
                self.message_user(request, text, level)
