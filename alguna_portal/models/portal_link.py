"""Emailed portal links, with their state and the database filters for it."""

from datetime import datetime
from uuid import uuid4

from django.conf import settings
from django.db import models, router
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alguna_portal.redaction import mask_email
from alguna_portal.roles import Role

from .customer import Customer


class PortalLink(models.Model):
    """An emailed link to a customer's portal. The URL only identifies the row; the row decides whether it works."""

    class State(models.TextChoices):
        # Translators: these six are said of a link.
        NOT_SENT = "not_sent", _("not sent yet")
        ACTIVE = "active", pgettext_lazy("of a link", "active")
        FAILED = "failed", _("could not be mailed")
        USED_UP = "used_up", _("used up")
        EXPIRED = "expired", _("expired")
        REVOKED = "revoked", _("revoked")

    # Not the primary key: after a backup is restored, the same ones are assigned to other links.
    key = models.UUIDField(_("key"), default=uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="links", verbose_name=_("customer"))
    recipient = models.EmailField(_("recipient"))
    role = models.CharField(_("role"), max_length=20, choices=Role)
    note = models.TextField(_("note"), blank=True, max_length=1000)
    sent_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("sent by")
    )
    renews = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="renewals",
        # Translators: the earlier link, in whose place this one was sent.
        verbose_name=_("renews"),
        help_text=_("The link that was mailed first. Its recipient has asked for this one in its place."),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    sent_at = models.DateTimeField(_("sent at"), null=True, editable=False)
    failure = models.CharField(
        _("failure"), max_length=100, blank=True, help_text=_("What kept a worker from mailing it, by its name.")
    )
    expires_at = models.DateTimeField(_("expires at"), db_index=True)
    renewable_until = models.DateTimeField(
        _("renewable until"), help_text=_("Until then its recipient may ask for a new link.")
    )
    renewed_at = models.DateTimeField(_("renewed at"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, editable=False)
    max_uses = models.PositiveIntegerField(_("uses at most"), null=True)
    uses = models.PositiveIntegerField(_("uses"), default=0)
    last_used_at = models.DateTimeField(_("last used at"), null=True, editable=False)

    class Meta:
        verbose_name = _("portal link")
        verbose_name_plural = _("portal links")
        ordering = ["-created_at", "-pk"]
        default_permissions = ("view", "delete")
        permissions = [
            ("send_portallink", _("Can send portal links")),
            ("revoke_portallink", _("Can revoke portal links")),
        ]
        constraints = [models.CheckConstraint(condition=Q(role__in=Role.values), name="alguna_portal_link_role_known")]

    def __str__(self) -> str:
        # Neither the recipient nor the key, which is half of the URL.
        return f"{self.get_role_display()}, {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def state(self) -> State:
        """The current state."""
        if self.revoked_at is not None:
            return self.State.REVOKED
        if self.expires_at <= timezone.now():
            return self.State.EXPIRED
        if self.max_uses is not None and self.uses >= self.max_uses:
            return self.State.USED_UP
        if self.sent_at is None:
            return self.State.FAILED if self.failure else self.State.NOT_SENT
        return self.State.ACTIVE

    @property
    def masked_recipient(self) -> str:
        """The recipient's address, masked: `b…@acme.example`."""
        return mask_email(self.recipient)

    def revoke(self) -> None:
        """Revoke the link and all its renewals permanently; the recipient can't renew older links any more, either.

        Links that are already revoked don't change. If the row has been deleted, `revoked_at` stays empty.
        """
        first = self.renews_id or self.pk
        rows = type(self).objects.using(router.db_for_write(type(self), instance=self))
        rows.filter(Q(pk=first) | Q(renews=first), revoked_at=None).update(revoked_at=timezone.now())
        self.revoked_at = rows.filter(pk=self.pk).values_list("revoked_at", flat=True).first()


def get_usable_filter(now: datetime) -> Q:
    """Return the filter for links that can open a portal."""
    return Q(revoked_at=None, expires_at__gt=now) & (Q(max_uses=None) | Q(uses__lt=F("max_uses")))


def get_state_filter(state: PortalLink.State, now: datetime) -> Q:
    """Return the filter for links in a state, equivalent to `PortalLink.state`."""
    usable, states = get_usable_filter(now), PortalLink.State
    return {
        states.NOT_SENT: usable & Q(sent_at=None, failure=""),
        states.FAILED: usable & Q(sent_at=None) & ~Q(failure=""),
        states.ACTIVE: usable & Q(sent_at__isnull=False),
        states.USED_UP: Q(revoked_at=None, expires_at__gt=now, uses__gte=F("max_uses")),
        states.EXPIRED: Q(revoked_at=None, expires_at__lte=now),
        states.REVOKED: Q(revoked_at__isnull=False),
    }[state]
