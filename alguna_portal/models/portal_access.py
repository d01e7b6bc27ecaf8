"""The audit trail: one row for each attempt to open a portal."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alguna_portal.roles import Role

from .customer import Customer
from .portal_link import PortalLink


class PortalAccess(models.Model):
    """An attempt to open a portal: user, customer, role, settings and outcome.

    The portal's URL isn't recorded, because it's a credential. If the user or the customer is deleted, `user_key` and
    `customer_alias` remain. `audit` creates the rows, and `alguna_prune` deletes old ones.
    """

    class Via(models.TextChoices):
        VIEW = "view", _("Billing page")
        LINK = "link", _("mailed link")
        # Translators: the host's own code has opened it, and nobody's click.
        API = "api", pgettext_lazy("way to the portal", "code")

    class Outcome(models.TextChoices):
        # Translators: these five say what came of a click on Billing; the subject is the portal, or the click.
        OPENED = "opened", _("opened")
        REUSED = "reused", _("opened again")
        DENIED = "denied", _("no access")
        UNAVAILABLE = "unavailable", _("Alguna unavailable")
        FAILED = "failed", _("failed")

    at = models.DateTimeField(
        pgettext_lazy("time of an access", "at"), default=timezone.now, db_index=True, editable=False
    )
    # Without database constraints: if a user or customer is deleted at the same time, the row must not fail, neither
    # when it's inserted nor when the host's transaction is committed.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        db_constraint=False,
        related_name="+",
        verbose_name=_("user"),
    )
    user_key = models.CharField(_("user's key"), max_length=255, blank=True)
    impersonated = models.BooleanField(
        _("impersonated"), default=False, help_text=_("Somebody of the staff acted as this user (django-hijack).")
    )
    customer = models.ForeignKey(
        Customer, models.SET_NULL, null=True, db_constraint=False, related_name="accesses", verbose_name=_("customer")
    )
    customer_alias = models.CharField(_("customer's alias"), max_length=255, blank=True)
    # Translators: the way to the portal; a noun, since filters say “By …”. So is “impersonated”, if that reads well.
    via = models.CharField(_("via"), max_length=20, choices=Via)
    link = models.ForeignKey(
        PortalLink,
        models.SET_NULL,
        null=True,
        db_constraint=False,
        related_name="accesses",
        verbose_name=_("mailed link"),
    )
    role = models.CharField(_("role"), max_length=20, choices=Role, blank=True)
    portal_settings = models.JSONField(_("portal settings"), default=dict, help_text=_("As Alguna was sent them."))
    session_id = models.CharField(_("session id"), max_length=255, blank=True, help_text=_("Alguna's."))
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome)
    error = models.CharField(_("error"), max_length=100, blank=True, help_text=_("The name of the exception."))

    class Meta:
        verbose_name = _("portal access")
        verbose_name_plural = _("portal accesses")
        ordering = ["-at", "-pk"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.get_outcome_display()}, {self.at:%Y-%m-%d %H:%M}"
