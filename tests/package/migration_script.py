"""Script that migrates a database and prints its rows as JSON, with the version of alguna_portal on the path.

Arguments: the database's settings as JSON, an action, and for `fill` the migrations to stop at, such as
`alguna_portal.0001_initial` (by default the last ones).

    fill        migrates and adds a row to each model, in the state after these migrations
    upgrade     migrates to the last migrations and checks that no migration is missing
    undo        reverses the migrations of alguna_portal and the sandbox
    list        lists these migrations

It imports nothing from the tests, because at an earlier tag they were different.
"""

import json
import sys
from datetime import UTC, datetime
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor

APPS = ("alguna_portal", "alguna_sandbox")


def main(database: str, action: str, *targets: str) -> dict[str, Any]:
    """Run an action; return the rows of each model, and the path of the code that was used."""
    settings.configure(
        DATABASES={"default": json.loads(database)},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "alguna_portal", "alguna_portal.sandbox"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY="only-for-tests",
        USE_TZ=True,
    )
    django.setup()
    import alguna_portal

    graph = MigrationExecutor(connection).loader.graph
    nodes = [(app, name) for app, _, name in (target.partition(".") for target in targets)]
    nodes = nodes or [node for node in graph.leaf_nodes() if node[0] in APPS]
    nodes = [node for node in graph.leaf_nodes() if node[0] == "auth"] + nodes
    if action == "list":
        return {"migrations": sorted(f"{app}.{name}" for app, name in graph.nodes if app in APPS)}
    if action == "undo":
        for app in APPS:
            call_command("migrate", app, "zero", verbosity=0)
        return {"tables": [table for table in connection.introspection.table_names() if table.startswith(APPS)]}
    if action == "upgrade":
        call_command("migrate", verbosity=0)
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)
    else:
        MigrationExecutor(connection).migrate(nodes)
        create_rows(get_models(nodes))
    rows = {model._meta.label: read_rows(model) for model in get_models(nodes)}
    return {"code": alguna_portal.__file__, "rows": rows}


def get_models(nodes: list[tuple[str, str]]) -> list[type[models.Model]]:
    """Return the models of the apps in the state after some migrations."""
    apps = MigrationExecutor(connection).loader.project_state(nodes).apps
    return [model for model in apps.get_models() if model._meta.app_label in APPS and not model._meta.proxy]


def read_rows(model: type[models.Model]) -> list[dict[str, str]]:
    """Return the rows of a model with all values as text."""
    return [{name: str(value) for name, value in row.items()} for row in model._default_manager.order_by("pk").values()]


def create_rows(remaining: list[type[models.Model]]) -> None:
    """Create a row for each model, after those that it refers to."""
    user = remaining[0]._meta.apps.get_model("auth", "User")
    created: dict[str, models.Model] = {user._meta.label: user._default_manager.create(username="mia")}
    while remaining:
        ready = [model for model in remaining if all(label in created for label in get_references(model))]
        assert ready, f"Each of {remaining} needs another one."
        for model in ready:
            created[model._meta.label] = model._default_manager.create(
                **{each.name: get_value(each, created) for each in model._meta.local_fields if not each.primary_key}
            )
            remaining.remove(model)


def get_references(model: type[models.Model]) -> list[str]:
    """Return the labels of the other models that a model refers to."""
    related = [each.related_model._meta.label for each in model._meta.local_fields if each.is_relation]  # type: ignore[union-attr]
    return [label for label in related if label != model._meta.label]


def get_value(field: Any, created: dict[str, models.Model]) -> Any:
    """Return a value for a field. If possible, it differs from the default."""
    if field.is_relation:
        return created.get(field.related_model._meta.label)
    if field.choices:
        return field.choices[0][0]
    values: dict[type[models.Field[Any, Any]], Any] = {
        models.BooleanField: True,
        models.IntegerField: 7,
        models.FloatField: 0.5,
        models.JSONField: {"kept": [1, "zwei", None]},
        models.DateTimeField: datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC),
        models.BinaryField: b"kept",
        models.CharField: f"{field.name} é"[: field.max_length],
        models.TextField: f"{field.name} é",
    }
    return next((values[kind] for kind in values if isinstance(field, kind)), None) or field.get_default()


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201
