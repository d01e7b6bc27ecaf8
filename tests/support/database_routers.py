"""Routers of hosts."""

from typing import Any

from django.db.models import Model


class Elsewhere:
    """Writes go to the database of their object, and reads to a replica; neither of the two others is there."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        """Name the replica."""
        return "replica"

    def db_for_write(self, model: Any, *, instance: Model | None = None, **hints: Any) -> str:
        """Name the database of an object; of none, none can be named."""
        return (instance._state.db or "default") if instance and issubclass(model, Model) else "nowhere"


class Replica(Elsewhere):
    """Writes go to one database, whatever is written."""

    def db_for_write(self, model: Any, **hints: Any) -> str:
        """Name it, to whoever says what is written."""
        return "default" if issubclass(model, Model) else "nowhere"
