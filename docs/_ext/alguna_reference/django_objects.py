"""Markdown for what Django's registries know: template tags, commands, models and URLs."""

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

from .docstrings import render_table, unwrap

COMMANDS = {
    "alguna_doctor": "alguna_portal",
    "alguna_provision": "alguna_portal",
    "alguna_sync": "alguna_portal",
    "alguna_prune": "alguna_portal",
    "alguna_sandbox_faults": "alguna_portal.sandbox",
}


def render_tags() -> str:
    """Render each template tag with its docstring."""
    introduction = unwrap((tags_module.__doc__ or "").partition("\n\n")[2])
    parts = [introduction]
    for name, tag in sorted(tags_module.register.tags.items()):
        text = inspect.cleandoc(inspect.unwrap(tag).__doc__ or "")
        parts += [f"## `{{% {name} %}}`", unwrap(text)]
    return "\n\n".join(parts)


def render_commands() -> str:
    """Render each command with the options of its parser, without those that every command has."""
    parts = []
    for name, app in COMMANDS.items():
        command = load_command_class(app, name)
        parts += [f"## `{name}`", command.help]
        rows = [[_format_option(each), _format_help(each)] for each in _get_own_options(command, name)]
        parts.append(render_table(["option", "what it does"], rows))
    return "\n\n".join(parts)


def _get_own_options(command: BaseCommand, name: str) -> Iterator[argparse.Action]:
    common = {each.dest for each in BaseCommand().create_parser("manage.py", "any")._actions}  # noqa: SLF001
    for action in command.create_parser("manage.py", name)._actions:  # noqa: SLF001
        if action.dest not in common:
            yield action


def _format_option(action: argparse.Action) -> str:
    name = ", ".join(action.option_strings) or action.dest
    choices = "|".join(map(str, action.choices)) if action.choices else ""
    value = "" if action.nargs == 0 or not action.option_strings else f" {action.metavar or choices or action.dest}"
    return f"`{name}{value}`"


def _format_help(action: argparse.Action) -> str:
    text = (action.help or "") % {"default": action.default}
    return f"{text}; required" if action.required and action.option_strings else text


def render_models() -> str:
    """Render each model with its fields and permissions."""
    parts = []
    for name in sorted(set(models_module.__all__) & {model.__name__ for model in apps.get_models()}):
        model = getattr(models_module, name)
        parts += [f"## `{name}`", unwrap(model.__doc__ or "")]
        fields = [each for each in model._meta.get_fields() if isinstance(each, Field) and each.name != "id"]
        rows = [[f"`{each.name}`", _format_kind(each), str(each.help_text)] for each in fields]
        parts.append(render_table(["field", "kind", "what it is"], rows))
        permissions = [f"`alguna_portal.{codename}`" for codename, _ in model._meta.permissions]
        if permissions:
            parts.append(f"Permissions beside Django's: {', '.join(permissions)}.")
    return "\n\n".join(parts)


def _format_kind(field: "Field[object, object]") -> str:
    """Return the kind of a field, its choices and its constraints."""
    kind = (str(field.description) % vars(field)).lower().replace("json", "JSON").replace("uuid", "UUID")
    if isinstance(field, ForeignKey):
        kind = f"a {str(field.related_model._meta.verbose_name).lower()}"
    values = ", ".join(f"`{value}`" for value, _ in field.flatchoices)
    facts = [kind, values and f"one of {values}", "unique" if field.unique else "", "or None" if field.null else ""]
    return ", ".join(filter(None, facts))


def render_urls() -> str:
    """Render the named URL patterns and what their views do."""
    rows = [
        [
            f"`{urls_module.app_name}:{each.name}`",
            f"`{each.pattern}`" if str(each.pattern) else "the address that you include the URLs at",
            (each.callback.__doc__ or "").strip().partition("\n")[0],
        ]
        for each in urls_module.urlpatterns
        if each.name
    ]
    return render_table(["name", "address below yours", "what it does"], rows)
