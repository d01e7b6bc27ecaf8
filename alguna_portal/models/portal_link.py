"""A link that was mailed: to whom, by whom, until when, and how often it was used."""

from datetime import datetime
from uuid import uuid4

from django.conf import settings
from django.db import models, router
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alguna_portal.roles import Role

from .customer import Customer


class PortalLink(models.Model):
    """A mailed link to a customer's portal. The row decides what it is worth; the link itself only names the row."""

    class State(models.TextChoices):
        """What a link is worth."""

        # Translators: these six are said of a link.
        NOT_SENT = "not_sent", _("not sent yet")
        ACTIVE = "active", pgettext_lazy("of a link", "active")
        FAILED = "failed", _("could not be mailed")
        USED_UP = "used_up", _("used up")
        EXPIRED = "expired", _("expired")
        REVOKED = "revoked", _("revoked")

    # Not the primary key: a restored backup gives the same ones out again, to others.
    key = models.UUIDField(_("key"), default=uuid4, unique=True, editable=False)
    customer = models.ForeignKey(
        Customer,
        models.CASCADE,
        related_name="links",
        verbose_name=_("customer"),
    )
    recipient = models.EmailField(_("recipient"))
    role = models.CharField(_("role"), max_length=20, choices=Role)
    note = models.TextField(_("note"), blank=True, max_length=1000)
    sent_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("sent by"),
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
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="alguna_portal_link_role_known"),
        ]

    def __str__(self) -> str:
        # Neither its recipient nor its key, which is half of the link.
        return f"{self.get_role_display()}, {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def state(self) -> State:
        """What the link is worth now."""
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
        """The recipient's address, so that those who know it recognize it: `b…@acme.example`."""
        return mask_email(self.recipient)

    def revoke(self) -> None:
        """Make the link worthless, and all that its recipient has asked for in its place, now and for good.

        What is revoked already stays as it is. Nor can its recipient have older links replaced any more. A link whose
        row is gone by now opens nothing, either: its `revoked_at` stays empty.
        """
        first = self.renews_id or self.pk
        line = models.Q(pk=first) | models.Q(renews=first)
        rows = type(self).objects.using(router.db_for_write(type(self), instance=self))
        rows.filter(line, revoked_at=None).update(revoked_at=timezone.now())
        self.revoked_at = rows.filter(pk=self.pk).values_list("revoked_at", flat=True).first()


def mask_email(address: str) -> str:
    """Show of an e-mail address what those need who know it: `b…@acme.example`; what is none stays as it is."""
    name, at, host = address.rpartition("@")
    return f"{name[:1]}…@{host}" if at else address


def get_usable_filter(now: datetime) -> Q:
    """Say to the database which links open a portal."""
    return Q(revoked_at=None, expires_at__gt=now) & (Q(max_uses=None) | Q(uses__lt=F("max_uses")))


def get_state_filter(state: PortalLink.State, now: datetime) -> Q:
    """Say to the database what `PortalLink.state` says of a row."""
    return {
        PortalLink.State.NOT_SENT: get_usable_filter(now) & Q(sent_at=None, failure=""),
        PortalLink.State.FAILED: get_usable_filter(now) & Q(sent_at=None) & ~Q(failure=""),
        PortalLink.State.ACTIVE: get_usable_filter(now) & Q(sent_at__isnull=False),
        PortalLink.State.USED_UP: Q(revoked_at=None, expires_at__gt=now, uses__gte=F("max_uses")),
        PortalLink.State.EXPIRED: Q(revoked_at=None, expires_at__lte=now),
        PortalLink.State.REVOKED: Q(revoked_at__isnull=False),
    }[state]
