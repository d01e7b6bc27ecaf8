"""What the sender of a portal link chooses."""

from typing import Any

from django import forms
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email
from django.urls import NoReverseMatch
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from alguna_portal.conf import conf
from alguna_portal.links import address_of
from alguna_portal.models import Customer, PortalLink
from alguna_portal.roles import Role


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
        address_of(PortalLink())
        _used = (conf.LINK_ROLE, conf.LINK_MAX_AGE, conf.LINK_MAX_USES, conf.SUPPORT_CONTACT, conf.USE_TASKS)
    except ImproperlyConfigured as exc:
        return str(exc)
    except NoReverseMatch:
        return gettext("The site has no addresses for links: include “alguna_portal.urls” in its URLs.")
    return ""
