"""Database routers as hosts have them."""

from typing import Any

from django.db.models import Model


class ObjectDatabaseRouter:
    """Reads use a replica, and writes the database of their object. Other databases don't exist."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        """Return the replica."""
        return "replica"

    def db_for_write(self, model: Any, *, instance: Model | None = None, **hints: Any) -> str:
        """Return the database of an object, or one that doesn't exist if there is no object."""
        return (instance._state.db or "default") if instance and issubclass(model, Model) else "nowhere"


class ReplicaRouter(ObjectDatabaseRouter):
    """Reads use a replica, and all writes the default database."""

    def db_for_write(self, model: Any, **hints: Any) -> str:
        """Return the default database, if the model is given."""
        return "default" if issubclass(model, Model) else "nowhere"
