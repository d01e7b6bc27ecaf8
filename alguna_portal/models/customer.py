"""Customers, and the memberships of users who may open their portals."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from alguna_portal.conf import conf
from alguna_portal.portal_settings import (
    LEGACY_API_VERSION,
    InvalidPortalSettings,
    PortalSettings,
    find_legacy_problems,
)
from alguna_portal.roles import Role


def validate_portal_settings(value: object) -> None:
    """Raise `ValidationError`, with one message per problem, for settings that the API version doesn't support."""
    try:
        portal_settings = PortalSettings.parse(value)
    except InvalidPortalSettings as exc:
        raise ValidationError(exc.problems) from exc
    if (missing := find_legacy_problems(portal_settings)) and conf.API_VERSION == LEGACY_API_VERSION:
        raise ValidationError(missing)


validate_alias = RegexValidator(
    r"\A[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?\Z",
    _("An alias has no control characters, and no spaces at its ends."),
)


def validate_currency(value: str) -> None:
    """Raise `ValidationError` for anything but an ISO 4217 currency code."""
    # Imported here because reading its table takes longer than loading the rest of the app.
    from iso4217 import Currency

    try:
        Currency(value)
    except ValueError as exc:
        raise ValidationError(_("A currency is a code of three capital letters from ISO 4217: USD, EUR.")) from exc


class Customer(models.Model):
    """A customer in Alguna. An unsaved one, `Customer(alias=…, plan=…)`, is enough to open a portal."""

    alias = models.CharField(
        _("alias"),
        max_length=255,
        unique=True,
        validators=[validate_alias],
        help_text=_("Your own id of this customer, which is also its alias in Alguna."),
    )
    # NULL instead of "": unknown ids must not collide, and MariaDB has no conditional unique constraints.
    customer_id = models.CharField(
        _("customer id"),
        max_length=255,
        unique=True,
        null=True,
        blank=True,
        default=None,
        validators=[validate_alias],
        help_text=_("Alguna's id. Where it is known, a session for any other customer is refused."),
    )
    name = models.CharField(_("name"), max_length=255, blank=True)
    email = models.EmailField(_("billing e-mail"), blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True, validators=[validate_currency])
    plan = models.CharField(
        _("plan"),
        max_length=100,
        blank=True,
        db_index=True,
        help_text=_("Decides what the portal allows, by ALGUNA_PORTAL_PLANS. The subscription itself is in Alguna."),
    )
    portal_settings = models.JSONField(
        _("portal settings"),
        default=dict,
        blank=True,
        validators=[validate_portal_settings],
        help_text=_("Laid over the settings of the plan, for this customer alone."),
    )
    # Set by `plan_sync`, with the sequence numbers of the last request to Alguna and of the last stored response.
    plan_id = models.CharField(
        _("plan id"),
        max_length=255,
        blank=True,
        editable=False,
        help_text=_("Alguna's, of the active subscription, when it was last asked."),
    )
    plan_synced_at = models.DateTimeField(_("plan synced at"), null=True, editable=False)
    plan_asked = models.PositiveIntegerField(_("times asked for the plan"), default=0, editable=False)
    plan_stored = models.PositiveIntegerField(_("last time stored"), default=0, editable=False)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ["name", "alias"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(alias=""), name="alguna_portal_customer_alias_set"),
            models.CheckConstraint(condition=~models.Q(customer_id=""), name="alguna_portal_customer_id_set"),
        ]

    def __str__(self) -> str:
        return self.name or self.alias

    def __repr__(self) -> str:
        # Not `str(self)`: an alias may be an email address.
        return f"<Customer: {self.pk}>"

    def clean(self) -> None:
        """Validate portal settings that Django treats as blank, such as `[]` and `false`."""
        if not self.portal_settings:
            try:
                validate_portal_settings(self.portal_settings)
            except ValidationError as exc:
                raise ValidationError({"portal_settings": exc.messages}) from exc


class Membership(models.Model):
    """A user's permission to open a customer's portal in a role."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="alguna_memberships", verbose_name=_("user")
    )
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="memberships", verbose_name=_("customer"))
    role = models.CharField(_("role"), max_length=20, choices=Role, default=Role.MANAGER)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(fields=["user", "customer"], name="alguna_portal_membership_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="alguna_portal_membership_role_known"
            ),
        ]

    def __str__(self) -> str:
        # Not the user's name, which is an email address in many projects.
        # Translators: a role, and the number of a customer: “manager of customer 7”.
        return gettext("%(role)s of customer %(key)s") % {"role": self.get_role_display(), "key": self.customer_id}
