"""Which of our migrations the database has not seen."""

from django.apps import apps
from django.db import connections
from django.db.migrations.loader import MigrationLoader

OURS = ("alguna_portal", "alguna_portal.sandbox")


def unapplied(using: str) -> list[str]:
    """Name our migrations that were not applied, in order; reads, and writes nothing."""
    loader = MigrationLoader(connections[using])
    labels = {config.label for config in apps.get_app_configs() if config.name in OURS}
    missing: dict[tuple[str, str], None] = {}
    for leaf in loader.graph.leaf_nodes():
        if leaf[0] in labels:
            missing |= dict.fromkeys(key for key in loader.graph.forwards_plan(leaf) if key[0] in labels)
    return [f"{label}.{name}" for label, name in missing if (label, name) not in loader.applied_migrations]
