"""Migrate a database and keep account of its rows: run in a process of its own, with whatever alguna_portal it finds.

Arguments: a database in JSON; then `fill`, which migrates and adds a row to each model as it then is, `upgrade`, which
migrates as far as it goes, `undo`, which takes our migrations back, or `chain`, which lists them; for `fill`,
migrations such as `alguna_portal.0001_initial`, else the last ones. What there is then is printed, as JSON. Nothing of
the tests is imported here: at a tag, they were others.
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

OURS = ("alguna_portal", "alguna_sandbox")


def main(database: str, action: str, *targets: str) -> dict[str, Any]:
    """Do what is asked; return the rows of each model, and whose code this was."""
    settings.configure(
        DATABASES={"default": json.loads(database)},
        INSTALLED_APPS=[
            *("django.contrib.auth", "django.contrib.contenttypes", "alguna_portal", "alguna_portal.sandbox"),
        ],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY="only-for-tests",
        USE_TZ=True,
    )
    django.setup()
    import alguna_portal

    leaves = MigrationExecutor(connection).loader.graph.leaf_nodes()
    at = [(app, name) for app, _, name in (target.partition(".") for target in targets)]
    at = [node for node in leaves if node[0] == "auth"] + (at or [node for node in leaves if node[0] in OURS])
    if action == "chain":
        nodes = MigrationExecutor(connection).loader.graph.nodes
        return {"chain": sorted(f"{app}.{name}" for app, name in nodes if app in OURS)}
    if action == "undo":
        call_command("migrate", "alguna_portal", "zero", verbosity=0)
        call_command("migrate", "alguna_sandbox", "zero", verbosity=0)
        return {"tables": [table for table in connection.introspection.table_names() if table.startswith(OURS)]}
    if action == "upgrade":
        call_command("migrate", verbosity=0)
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)
    else:
        MigrationExecutor(connection).migrate(at)
        fill(list(state(at)))
    return {"code": alguna_portal.__file__, "rows": {model._meta.label: rows(model) for model in state(at)}}


def state(at: list[tuple[str, str]]) -> list[type[models.Model]]:
    """Return our models as they are after some migrations."""
    apps = MigrationExecutor(connection).loader.project_state(at).apps
    return [model for model in apps.get_models() if model._meta.app_label in OURS and not model._meta.proxy]


def rows(model: type[models.Model]) -> list[dict[str, str]]:
    """Read a table, all as text."""
    return [{name: str(value) for name, value in row.items()} for row in model._default_manager.order_by("pk").values()]


def fill(left: list[type[models.Model]]) -> None:
    """Add a row to each model; those that it needs first."""
    made: dict[str, models.Model] = {}
    user = left[0]._meta.apps.get_model("auth", "User")
    made[user._meta.label] = user._default_manager.create(username="mia")
    while left:
        ready = [model for model in left if all(to in made for to in needed(model))]
        assert ready, f"Each of {left} needs another one."
        for model in ready:
            made[model._meta.label] = model._default_manager.create(
                **{each.name: value(each, made) for each in model._meta.local_fields if not each.primary_key}
            )
            left.remove(model)


def needed(model: type[models.Model]) -> list[str]:
    """List what must be there before."""
    related = [each.related_model._meta.label for each in model._meta.local_fields if each.is_relation]  # type: ignore[union-attr]
    return [label for label in related if label != model._meta.label]


def value(each: Any, made: dict[str, models.Model]) -> Any:
    """Think of a value for a field, which is not the default where that can be helped."""
    if each.is_relation:
        return made.get(each.related_model._meta.label)
    if each.choices:
        return each.choices[0][0]
    kinds: dict[type[models.Field[Any, Any]], Any] = {
        models.BooleanField: True,
        models.IntegerField: 7,
        models.FloatField: 0.5,
        models.JSONField: {"kept": [1, "zwei", None]},
        models.DateTimeField: datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC),
        models.BinaryField: b"kept",
        models.CharField: f"{each.name} é"[: each.max_length],
        models.TextField: f"{each.name} é",
    }
    return next((kinds[kind] for kind in kinds if isinstance(each, kind)), None) or each.get_default()


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201
