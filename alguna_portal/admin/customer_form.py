"""What is entered of a customer, and how it is kept from undoing what workers and events store meanwhile."""

from collections.abc import Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Field
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from alguna_portal.conf import conf
from alguna_portal.models import Customer

from .json_field import JSONField
from .plans import mapped_plans

if TYPE_CHECKING:
    CustomerFormBase = forms.ModelForm[Customer]
else:
    CustomerFormBase = forms.ModelForm


class CustomerForm(CustomerFormBase):
    """A customer, with the plans that are configured to choose from."""

    class Meta:
        model = Customer
        fields = ("name", "alias", "customer_id", "email", "currency", "plan", "portal_settings")
        field_classes = {"portal_settings": JSONField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read = {field.attname: deepcopy(value) for field, value in self._values()}
        if "customer_id" in self.fields:
            # The form says what it was opened with: an id that is stored meanwhile is not erased by an empty field.
            self.fields["customer_id"].show_hidden_initial = True
        if "plan" in self.fields:
            self.fields["plan"] = self._plan_field()
            # As above: a plan that an event has set meanwhile is not taken back.
            self.fields["plan"].show_hidden_initial = True

    def _plan_field(self) -> forms.ChoiceField:
        """Offer the configured plans, and the one the customer has, so that saving never changes it unseen."""
        plans = _configured_plans()
        choices = [("", _("no plan")), *((plan, plan) for plan in plans)]
        if self.instance.plan and self.instance.plan not in plans:
            choices.append((self.instance.plan, _("%(plan)s (not configured)") % {"plan": self.instance.plan}))
        field = self.fields["plan"]
        hint = field.help_text
        if mapped_plans():
            lasts = gettext("It follows Alguna: what is chosen here lasts until it is next asked for the plan.")
            hint = f"{hint} {lasts}"
        return forms.ChoiceField(choices=choices, required=False, label=field.label, help_text=hint)

    @property
    def touched(self) -> list[str]:
        """The fields that differ from what was read when the form was sent."""
        return [field.name for field, value in self._values() if value != self._read[field.attname]]

    def _values(self) -> "Iterator[tuple[Field[Any, Any], Any]]":
        return ((field, getattr(self.instance, field.attname)) for field in self.instance._meta.concrete_fields)

    def clean_customer_id(self) -> Any:
        """Take an id only from somebody who has changed it."""
        changed = "customer_id" in self.changed_data
        return self.cleaned_data["customer_id"] if changed else self.instance.customer_id

    def clean_plan(self) -> Any:
        """Take a plan only from somebody who has changed it."""
        return self.cleaned_data["plan"] if "plan" in self.changed_data else self.instance.plan

    def clean_portal_settings(self) -> Any:
        """Take an empty field, and JSON's null, for no settings."""
        cleaned = self.cleaned_data["portal_settings"]
        return {} if cleaned is None else cleaned


def _configured_plans() -> list[str]:
    """List the plans there are; with settings that cannot be read, none, so that the page still opens."""
    try:
        return list(conf.PLANS)
    except ImproperlyConfigured:
        return []
