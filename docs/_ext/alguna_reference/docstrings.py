"""Markdown from modules and their docstrings: settings, checks, signals, log events and exceptions."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any

from django.dispatch import Signal

from alguna_portal import exceptions as exceptions_module
from alguna_portal import log_events as events_module
from alguna_portal import signals as signals_module
from alguna_portal.conf import checks as checks_module
from alguna_portal.conf import settings as conf_module
from alguna_portal.sandbox import conf as sandbox_conf


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting: its name, the heading above it, its type, its default and its docstring."""

    name: str
    group: str
    kind: str
    default: str
    text: str


def all_settings() -> Iterator[Setting]:
    """Read the class `Conf`: comments on their own lines are headings, and strings after settings docstrings."""
    source = textwrap.dedent(inspect.getsource(conf_module.Conf))
    lines = source.splitlines()
    tree: Any = ast.parse(source).body[0]
    for node, following in pairwise(tree.body):
        match node, following:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(text))):
                setting = conf_module.SETTINGS[name]
                yield Setting(
                    name=name,
                    group=[line for line in lines[: node.lineno] if re.match(r"    # [A-Z]", line)][-1].strip("# "),
                    kind=_get_type(setting),
                    default=_get_default(setting),
                    text=inspect.cleandoc(text),
                )


def _get_type(setting: conf_module.Setting[Any]) -> str:
    """Return the type that the setting's parser returns, without module names."""
    parse = setting.parse.func if isinstance(setting.parse, partial) else setting.parse
    return re.sub(r"(\w+\.)+(?=\w)", "", inspect.formatannotation(inspect.signature(parse).return_annotation))


def _get_default(setting: conf_module.Setting[Any]) -> str:
    """Return the default as an expression, or an empty string if the setting is required."""
    if setting.remedy:
        return ""
    if isinstance(setting.default, timedelta):
        return f"timedelta(days={setting.default.days})"
    return repr(setting.default).replace("'", '"')


def render_settings() -> str:
    """Render a table of all settings and a section for each of them."""
    settings = list(all_settings())
    rows = [
        [
            f"[`{each.name}`](#alguna_portal_{each.name.lower()})<br>{_format_default(each)}",
            each.text.partition("\n\n")[0],
        ]
        for each in settings
    ]
    parts = [render_table(["`ALGUNA_PORTAL_…`, default", "what it is"], rows)]
    for group in dict.fromkeys(each.group for each in settings):
        parts.append(f"## {group}")
        for each in settings:
            if each.group == group:
                number = f"alguna_portal.{checks_module.IDS[each.name]}"
                parts += [
                    f"### `ALGUNA_PORTAL_{each.name}`",
                    f"Type: `{each.kind}`. Default: {_format_default(each)}. Reported by the check `{number}`.",
                    each.text,
                ]
    return "\n\n".join(parts)


def _format_default(setting: Setting) -> str:
    return f"`{setting.default}`" if setting.default else "none: required on first use"


def render_checks() -> str:
    """Render tables of the check ids: warnings, errors for each setting, and checks of the sandbox."""
    errors = [
        [f"`alguna_portal.{number}`", f"{_link_setting(name)} cannot be used; the text says why, and what would do"]
        for name, number in checks_module.IDS.items()
    ]
    texts = dict(re.findall(r"^alguna_portal\.(W\d+) +(.+)$", checks_module.__doc__ or "", re.MULTILINE))
    warnings = [[f"`alguna_portal.{number}`", text] for number, text in texts.items()]
    sandbox = [[f"`{number}`", f"{text} {hint}"] for number, text, hint in _find_sandbox_checks()]
    head = ["id", "reported where"]
    return "\n\n".join(
        [
            "## Warnings",
            render_table(head, warnings),
            "## Errors",
            render_table(head, errors),
            "## The sandbox",
            render_table(["id", "what it says"], sandbox),
        ]
    )


def _link_setting(name: str) -> str:
    """Return a link to a setting from another page of the reference."""
    return f"[`ALGUNA_PORTAL_{name}`](settings.md#alguna_portal_{name.lower()})"


def _find_sandbox_checks() -> Iterator[tuple[str, str, str]]:
    """Return id, message and hint of each check in the sandbox's source, with “…” instead of values."""
    for node in ast.walk(ast.parse(inspect.getsource(sandbox_conf))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Error":
            keywords = {each.arg: each.value for each in node.keywords}
            yield str(ast.literal_eval(keywords["id"])), _get_text(node.args[0]), _get_text(keywords["hint"])


def _get_text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return str(ast.literal_eval(node))


def render_signals() -> str:
    """Render each signal with its arguments, from the module's docstring."""
    body, _, closing = (signals_module.__doc__ or "").strip().rpartition("\n\n")
    introduction, *entries = re.split(r"^(?=\w+ {4,}\S)", body, flags=re.MULTILINE)
    parts = [unwrap(introduction)]
    for entry in entries:
        name, text = entry.split(maxsplit=1)
        if not isinstance(getattr(signals_module, name, None), Signal):
            raise TypeError(f"The docstring names {name}, which isn't a signal.")
        when, _, arguments = unwrap(text).partition(". ")
        parts += [f"## `{name}`", f"{when[:1].upper()}{when[1:]}.", f"{arguments}."]
    return "\n\n".join([*parts, "## In common", unwrap(closing)])


def render_events() -> str:
    """Render the table of log events and its introduction, from the module's docstring."""
    introduction, _, listed = (events_module.__doc__ or "").strip().rpartition("\n\n")
    rows = []
    for name, level, rest in re.findall(r"^(\w+) {2,}(\w+) {2,}(.+)$", listed, re.MULTILINE):
        fields, _, remark = rest.partition(": ")
        # In “seconds until the next”, a description follows the field's name.
        marked = [" ".join([f"`{each.split()[0]}`", *each.split()[1:]]) for each in fields.split(", ")]
        rows.append([f"`{name}`", level, ", ".join(marked), remark])
    return f"{unwrap(introduction)}\n\n{render_table(['event', 'level', 'fields', 'remark'], rows)}"


def render_exceptions() -> str:
    """Render the tree of exceptions from the module's docstring, and the docstring of each exception."""
    drawing = re.search(r"^ {4}AlgunaError.*?(?=\n\n)", exceptions_module.__doc__ or "", re.MULTILINE | re.DOTALL)
    drawn = drawing[0] if drawing else ""
    names = re.findall(r"^class (\w+)\(", inspect.getsource(exceptions_module), re.MULTILINE)
    if missing := set(names) - set(re.findall(r"\w+", drawn)):
        raise LookupError(f"The tree of exceptions lacks {', '.join(sorted(missing))}.")
    described = [[f"`{name}`", inspect.getdoc(getattr(exceptions_module, name)) or ""] for name in names]
    drawn = f"<!-- not run: a drawing, and no code -->\n```text\n{textwrap.dedent(drawn)}\n```"
    return f"{drawn}\n\n{render_table(['exception', 'says'], described)}"


def unwrap(text: str) -> str:
    """Join the lines of each paragraph of a docstring."""
    return "\n\n".join(" ".join(each.split()) for each in text.strip().split("\n\n"))


def render_table(head: list[str], rows: list[list[str]]) -> str:
    """Render a table without empty columns, with escaped bars in its cells."""
    kept = [number for number in range(len(head)) if any(row[number] for row in rows)]
    lines = [[line[number] for number in kept] for line in (head, ["---"] * len(head), *rows)]
    return "\n".join("| " + " | ".join(unwrap(cell).replace("|", r"\|") for cell in line) + " |" for line in lines)
