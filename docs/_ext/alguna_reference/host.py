"""What Django knows of the app: template tags, commands, models and addresses, as Markdown."""

import argparse
import inspect
from collections.abc import Iterator

from django.apps import apps
from django.core.management import load_command_class
from django.core.management.base import BaseCommand
from django.db.models import Field, ForeignKey

from alguna_portal import models as models_module
from alguna_portal import urls as urls_module
from alguna_portal.templatetags import alguna_portal as tags_module

from .code import table, unwrapped

COMMANDS = {
    "alguna_doctor": "alguna_portal",
    "alguna_provision": "alguna_portal",
    "alguna_sync_plans": "alguna_portal",
    "alguna_prune": "alguna_portal",
    "alguna_sandbox_faults": "alguna_portal.sandbox",
}


def tags() -> str:
    """Write each template tag with its docstring."""
    opening = unwrapped((tags_module.__doc__ or "").partition("\n\n")[2])
    parts = [opening]
    for name, tag in sorted(tags_module.register.tags.items()):
        text = inspect.cleandoc(inspect.unwrap(tag).__doc__ or "")
        parts += [f"## `{{% {name} %}}`", unwrapped(text)]
    return "\n\n".join(parts)


def commands() -> str:
    """Write each command with its options, as its parser has them, without those that every command has."""
    parts = []
    for name, app in COMMANDS.items():
        command = load_command_class(app, name)
        parts += [f"## `{name}`", command.help]
        rows = [[_invocation(each), _help(each)] for each in _own(command, name)]
        parts.append(table(["option", "what it does"], rows))
    return "\n\n".join(parts)


def _own(command: BaseCommand, name: str) -> Iterator[argparse.Action]:
    common = {each.dest for each in BaseCommand().create_parser("manage.py", "any")._actions}  # noqa: SLF001
    for action in command.create_parser("manage.py", name)._actions:  # noqa: SLF001
        if action.dest not in common:
            yield action


def _invocation(action: argparse.Action) -> str:
    name = ", ".join(action.option_strings) or action.dest
    choices = "|".join(map(str, action.choices)) if action.choices else ""
    value = "" if action.nargs == 0 or not action.option_strings else f" {action.metavar or choices or action.dest}"
    return f"`{name}{value}`"


def _help(action: argparse.Action) -> str:
    said = (action.help or "") % {"default": action.default}
    return f"{said}; required" if action.required and action.option_strings else said


def models() -> str:
    """Write each model with its fields."""
    parts = []
    for name in sorted(set(models_module.__all__) & {model.__name__ for model in apps.get_models()}):
        model = getattr(models_module, name)
        parts += [f"## `{name}`", unwrapped(model.__doc__ or "")]
        fields = [each for each in model._meta.get_fields() if isinstance(each, Field) and each.name != "id"]
        rows = [[f"`{each.name}`", _kind(each), str(each.help_text)] for each in fields]
        parts.append(table(["field", "kind", "what it is"], rows))
        permissions = [f"`alguna_portal.{codename}`" for codename, _ in model._meta.permissions]
        if permissions:
            parts.append(f"Permissions beside Django's: {', '.join(permissions)}.")
    return "\n\n".join(parts)


def _kind(field: "Field[object, object]") -> str:
    """Say what a field holds, and which values there are."""
    kind = (str(field.description) % vars(field)).lower().replace("json", "JSON").replace("uuid", "UUID")
    if isinstance(field, ForeignKey):
        kind = f"a {str(field.related_model._meta.verbose_name).lower()}"
    values = ", ".join(f"`{value}`" for value, _ in field.flatchoices)
    facts = [kind, values and f"one of {values}", "unique" if field.unique else "", "or None" if field.null else ""]
    return ", ".join(filter(None, facts))


def urls() -> str:
    """Write the named addresses, and what answers at them."""
    rows = [
        [
            f"`{urls_module.app_name}:{each.name}`",
            f"`{each.pattern}`" if str(each.pattern) else "the address that you include the URLs at",
            (each.callback.__doc__ or "").strip().partition("\n")[0],
        ]
        for each in urls_module.urlpatterns
        if each.name
    ]
    return table(["name", "address below yours", "what it does"], rows)
