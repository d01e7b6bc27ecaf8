"""The admin action “Send portal link” for selected customers, and the same on the page of one customer.

A confirmation page with a form comes first. It shows which customers get an email.
"""

from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured, PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from alguna_portal.conf import conf
from alguna_portal.links import LinkNotSent, get_link_url, send_link, send_links
from alguna_portal.models import Customer, PortalLink
from alguna_portal.redaction import mask_email
from alguna_portal.roles import Role

from . import actions
from .actions import MAX_LISTED, ListedCustomer
from .base import BaseAdmin, get_customer_name


class NoteField(forms.CharField):
    """A text field that counts a line break as one character, as browsers do."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).replace("\r\n", "\n")


class LinkForm(forms.Form):
    """The role and note of links to customers' own addresses; for one `customer`, also another recipient."""

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
        super().__init__(data, initial={"role": conf.LINK_ROLE})
        self.customer = customer
        if customer is None:
            del self.fields["to"]

    def clean_to(self) -> str:
        """Require a recipient if the customer's own address is missing or malformed."""
        to = str(self.cleaned_data["to"])
        if not to and self.customer and (error := find_email_error(self.customer)):
            raise ValidationError(error)
        return to


@dataclass(kw_only=True)
class CustomerGroup:
    """A group of customers on the confirmation page: all are counted, and at most MAX_LISTED are listed."""

    listed: list[ListedCustomer] = field(default_factory=list)
    count: int = 0

    def add(self, customer: ListedCustomer) -> None:
        self.count += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(customer)

    @property
    def unlisted(self) -> int:
        return self.count - len(self.listed)


class SendPortalLinksMixin(BaseAdmin):
    """The action `send_portal_link` and the object page of the same name."""

    class Media:
        css = {"all": ["alguna_portal/admin.css"]}

    def has_send_portal_link_permission(self, request: HttpRequest) -> bool:
        """Check the separate permission to send links, which open a portal without an account."""
        return request.user.has_perm("alguna_portal.send_portallink")

    @admin.action(permissions=["send_portal_link"], description=_("Send portal link"))
    def send_portal_link(self, request: HttpRequest, customers: QuerySet[Customer]) -> HttpResponse | None:
        """Show the form, then send the links; Django redirects to the changelist."""
        data = request.POST if "confirmed" in request.POST else None
        fields = actions.get_selection_fields(request, "send_portal_link")
        return self._confirm_or_send(request, customers, data, {"fields": fields, "back": request.get_full_path()})

    def send_portal_link_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the form, then send a link to one customer and redirect to its change page."""
        if not self.has_send_portal_link_permission(request):
            raise PermissionDenied
        customer = self.get_permitted_object(request, object_id, self.has_view_permission)
        customers = self.get_queryset(request).filter(pk=customer.pk)
        data = request.POST if request.method == "POST" else None
        back = self.add_list_filters(request, self.get_change_url(customer))
        page = self._confirm_or_send(request, customers, data, {"fields": [], "back": back}, customer)
        return page or HttpResponseRedirect(back)

    def _confirm_or_send(
        self, request: HttpRequest, customers: QuerySet[Customer], data: Any, context: Any, one: Customer | None = None
    ) -> HttpResponse | None:
        """Send links if the form is complete; otherwise return the page with the form, or with the settings' error."""
        if error := find_settings_error():
            context["error"] = error
        else:
            form = LinkForm(data, customer=one)
            if form.is_valid():
                self._send(request, [one] if one else list(customers), form)
                return None
            now = timezone.now()
            ends = now + conf.LINK_MAX_AGE
            ready, without = self._group(request, customers)
            context |= {
                "form": form,
                "ready": ready,
                "without": without,
                # A customer without an address can still have another recipient.
                "total": max(ready.count, 1 if one else 0),
                "life": timesince(now, ends),
                "ends": ends,
                "uses": conf.LINK_MAX_USES,
                "queued": conf.USE_TASKS,
            }
        return actions.render_confirmation_page(self, request, "send_portal_link", gettext("Send portal link"), context)

    def _group(self, request: HttpRequest, customers: QuerySet[Customer]) -> tuple[CustomerGroup, CustomerGroup]:
        """Return the customers that get an email, and those that don't."""
        ready, without = CustomerGroup(), CustomerGroup()
        for customer in customers.iterator():
            name, url = get_customer_name(customer), self.get_change_url(customer)
            is_visible = self.has_view_permission(request, customer)
            error = find_email_error(customer) if is_visible else gettext("You may not view this customer.")
            if error:
                without.add(ListedCustomer(name, url, [error]))
            else:
                ready.add(ListedCustomer(name, url, address=mask_email(customer.email)))
        return ready, without

    def _send(self, request: HttpRequest, customers: list[Customer], form: LinkForm) -> None:
        """Send the links, then update histories and show messages."""
        visible: list[Customer] = []
        hidden: list[Customer] = []
        for customer in customers:
            (visible if self.has_view_permission(request, customer) else hidden).append(customer)
        role, note = form.cleaned_data["role"], form.cleaned_data["note"]
        options: dict[str, Any] = {"sent_by": request.user, "role": role, "note": note}
        with actions.report_sent_links(self, request, len(visible), hidden=hidden) as result:
            if to := form.cleaned_data.get("to"):
                try:
                    result.sent.append(send_link(visible[0], to=to, **options))
                except LinkNotSent as exc:
                    # The messages report it like any other failure.
                    result.failed.append((visible[0], exc.failure))
            else:
                send_links(visible, within=actions.START_SECONDS, result=result, **options)


def find_email_error(customer: Customer) -> str:
    """Return the reason why no email can be sent to a customer's own address, or ""."""
    if not customer.email:
        return gettext("The customer has no e-mail address.")
    try:
        validate_email(customer.email)
    except ValidationError:
        return gettext("The customer's e-mail address is malformed.")
    return ""


def find_settings_error() -> str:
    """Return the error in the project's settings or URLs that prevents all links from being sent, or ""."""
    try:
        get_link_url(PortalLink())
        _used = (conf.LINK_ROLE, conf.LINK_MAX_AGE, conf.LINK_MAX_USES, conf.SUPPORT_CONTACT, conf.USE_TASKS)
    except ImproperlyConfigured as exc:
        return str(exc)
    except NoReverseMatch:
        return gettext("The site has no addresses for links: include “alguna_portal.urls” in its URLs.")
    return ""
