"""The model that stores the sandbox's state."""

from django.db import models


class Record(models.Model):
    """A JSON record in a collection of the engine's state."""

    collection = models.CharField(max_length=32)
    key = models.CharField(max_length=255)
    data = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["collection", "key"], name="alguna_sandbox_record_unique")]

    def __str__(self) -> str:
        # Without the key, which can be confidential: aliases and idempotency keys are keys too.
        return f"{self.collection} record {self.pk}"


class SimulatedFault(Record):
    """The admin page that sets the simulated fault. It has no rows of its own."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = "simulated fault"
        verbose_name_plural = "simulated faults"
