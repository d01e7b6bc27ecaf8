"""The sandbox's one table: whatever Alguna would remember."""

from django.db import models


class Record(models.Model):
    """One JSON record of one collection of the engine's state."""

    collection = models.CharField(max_length=32)
    key = models.CharField(max_length=255)
    data = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["collection", "key"], name="alguna_sandbox_record_unique")]

    def __str__(self) -> str:
        # No key: it may be an alias or an idempotency key, and those are the customers' matter.
        return f"{self.collection} record {self.pk}"


class Weather(Record):
    """What the admin calls the page where the sandbox's bad days are chosen; it has no rows of its own."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = "weather"
        verbose_name_plural = "weather"
