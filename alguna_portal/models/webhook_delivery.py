"""Webhook deliveries: one row for each message from Alguna, with its state."""

from hashlib import sha256
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class WebhookDelivery(models.Model):
    """A message from Alguna, and the receivers that have handled it.

    The payload may contain personal data. It isn't shown anywhere, and it's deleted once all receivers are done.
    """

    class State(models.TextChoices):
        # Translators: these four are said of a message from Alguna.
        WAITING = "waiting", _("waiting")
        HANDLED = "handled", _("handled")
        UNMAPPED = "unmapped", _("plan not mapped")
        FAILED = "failed", pgettext_lazy("of a message", "failed")

    # A hash of the id, because MariaDB compares without case and accents and would confuse two messages.
    message_key = models.CharField(_("message key"), max_length=64, unique=True, editable=False)
    message_id = models.CharField(_("message id"), max_length=255, editable=False)
    type = models.CharField(_("type"), max_length=255, editable=False)
    sent_at = models.DateTimeField(_("sent at"), editable=False, help_text=_("By Alguna's clock."))
    received_at = models.DateTimeField(_("received at"), default=timezone.now, db_index=True, editable=False)
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.WAITING, editable=False)
    handled_at = models.DateTimeField(_("handled at"), null=True, editable=False)
    tries = models.PositiveIntegerField(_("tries"), default=0, editable=False)
    error = models.CharField(
        _("error"), max_length=255, blank=True, editable=False, help_text=_("Who failed, and the exception's name.")
    )
    # JSON as text, because PostgreSQL's JSON type rejects some valid JSON, such as NUL characters.
    payload = models.TextField(_("content"), blank=True, editable=False)
    done = models.JSONField(_("handled by"), default=list, editable=False)
    claimed_until = models.DateTimeField(_("claimed until"), null=True, editable=False)

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        ordering = ["-received_at", "-pk"]
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return f"{self.type}, {self.get_state_display()}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.message_key = self.message_key or hash_message_id(self.message_id)
        super().save(*args, **kwargs)


def hash_message_id(message_id: str) -> str:
    """Return the hash of a message id, for `message_key`."""
    return sha256(message_id.encode()).hexdigest()
