"""What modules say of themselves: settings, checks, signals and log events, as Markdown."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
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
    """One property of `Conf`: what it is called, what it is without being set, and what it says of itself."""

    name: str
    group: str
    kind: str
    default: str
    text: str


def all_settings() -> Iterator[Setting]:
    """Read the class `Conf`: its comments on lines of their own are groups, its properties settings."""
    source = textwrap.dedent(inspect.getsource(conf_module.Conf))
    lines = source.splitlines()
    (tree,) = ast.parse(source).body
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.isupper() and node.returns:
            above = [line for line in lines[: node.lineno] if re.match(r"    # [A-Z]", line)]
            yield Setting(
                name=node.name,
                group=above[-1].strip("# "),
                kind=ast.unparse(node.returns),
                default=_default(node),
                text=inspect.cleandoc(ast.get_docstring(node) or ""),
            )


def _default(node: ast.FunctionDef) -> str:
    """Find the default in the call that reads the setting: an expression, or nothing where there is none."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            if call.func.id == "_required":
                return ""
            if call.func.id == "_read":
                text = ast.unparse(call.args[1])
                return text if text.startswith("timedelta(") else repr(_value(text)).replace("'", '"')
    raise LookupError(f"How {node.name} is read is not to be seen.")


def _value(expression: str) -> Any:
    return eval(expression, vars(conf_module))  # noqa: S307  (our own source)


def settings() -> str:
    """Write a table of all settings, then each of them in full."""
    every = list(all_settings())
    rows = [
        [f"[`{each.name}`](#alguna_portal_{each.name.lower()})<br>{_shown(each)}", each.text.partition("\n\n")[0]]
        for each in every
    ]
    parts = [table(["`ALGUNA_PORTAL_…`, default", "what it is"], rows)]
    for group in dict.fromkeys(each.group for each in every):
        parts.append(f"## {group}")
        for each in every:
            if each.group == group:
                number = f"alguna_portal.{checks_module.IDS[each.name]}"
                parts += [
                    f"### `ALGUNA_PORTAL_{each.name}`",
                    f"Type: `{each.kind}`. Default: {_shown(each)}. Reported by the check `{number}`.",
                    each.text,
                ]
    return "\n\n".join(parts)


def _shown(setting: Setting) -> str:
    return f"`{setting.default}`" if setting.default else "none: required on first use"


def checks() -> str:
    """Write tables of the checks' ids: one for each setting, the warnings, and those of the sandbox."""
    errors = [
        [f"`alguna_portal.{number}`", f"{_linked(name)} cannot be used; the text says why, and what would do"]
        for name, number in checks_module.IDS.items()
    ]
    said = dict(re.findall(r"^alguna_portal\.(W\d+) +(.+)$", checks_module.__doc__ or "", re.MULTILINE))
    warnings = [[f"`alguna_portal.{number}`", text] for number, text in said.items()]
    sandbox = [[f"`{number}`", f"{text} {hint}"] for number, text, hint in _sandbox_checks()]
    head = ["id", "reported where"]
    return "\n\n".join(
        [
            "## Warnings",
            table(head, warnings),
            "## Errors",
            table(head, errors),
            "## The sandbox",
            table(["id", "what it says"], sandbox),
        ]
    )


def _linked(name: str) -> str:
    """Link to a setting from another page of the reference."""
    return f"[`ALGUNA_PORTAL_{name}`](settings.md#alguna_portal_{name.lower()})"


def _sandbox_checks() -> Iterator[tuple[str, str, str]]:
    """Find the checks of the sandbox in its source: what they say, with names where values would stand."""
    for node in ast.walk(ast.parse(inspect.getsource(sandbox_conf))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Error":
            said = {each.arg: each.value for each in node.keywords}
            yield str(ast.literal_eval(said["id"])), _text(node.args[0]), _text(said["hint"])


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return str(ast.literal_eval(node))


def signals() -> str:
    """Write each signal with its arguments, as the module's docstring has them."""
    body, _, closing = (signals_module.__doc__ or "").strip().rpartition("\n\n")
    opening, *entries = re.split(r"^(?=\w+ {4,}\S)", body, flags=re.MULTILINE)
    parts = [unwrapped(opening)]
    for entry in entries:
        name, text = entry.split(maxsplit=1)
        if not isinstance(getattr(signals_module, name, None), Signal):
            raise TypeError(f"The docstring names {name}, which is no signal.")
        when, _, arguments = unwrapped(text).partition(". ")
        parts += [f"## `{name}`", f"{when[:1].upper()}{when[1:]}.", f"{arguments}."]
    return "\n\n".join([*parts, "## In common", unwrapped(closing)])


def events() -> str:
    """Write the table of the log's events, with what the module's docstring says before it."""
    opening, _, listed = (events_module.__doc__ or "").strip().rpartition("\n\n")
    rows = []
    for name, level, rest in re.findall(r"^(\w+) {2,}(\w+) {2,}(.+)$", listed, re.MULTILINE):
        fields, _, remark = rest.partition(": ")
        # “seconds until the next”: what is said of a field follows its name.
        marked = [" ".join([f"`{each.split()[0]}`", *each.split()[1:]]) for each in fields.split(", ")]
        rows.append([f"`{name}`", level, ", ".join(marked), remark])
    return f"{unwrapped(opening)}\n\n{table(['event', 'level', 'fields', 'remark'], rows)}"


def exceptions() -> str:
    """Write the tree of exceptions as its module draws it, and what each of them says of itself."""
    drawing = re.search(r"^ {4}AlgunaError.*?(?=\n\n)", exceptions_module.__doc__ or "", re.MULTILINE | re.DOTALL)
    drawn = drawing[0] if drawing else ""
    names = re.findall(r"^class (\w+)\(", inspect.getsource(exceptions_module), re.MULTILINE)
    if missing := set(names) - set(re.findall(r"\w+", drawn)):
        raise LookupError(f"The tree of exceptions lacks {', '.join(sorted(missing))}.")
    described = [[f"`{name}`", inspect.getdoc(getattr(exceptions_module, name)) or ""] for name in names]
    drawn = f"<!-- not run: a drawing, and no code -->\n```text\n{textwrap.dedent(drawn)}\n```"
    return f"{drawn}\n\n{table(['exception', 'says'], described)}"


def unwrapped(text: str) -> str:
    """Join the lines of each paragraph: a docstring's line breaks are the source's."""
    return "\n\n".join(" ".join(each.split()) for each in text.strip().split("\n\n"))


def table(head: list[str], rows: list[list[str]]) -> str:
    """Write a table, in which a bar is a character like any other, without columns that are empty."""
    kept = [number for number in range(len(head)) if any(row[number] for row in rows)]
    lines = [[line[number] for number in kept] for line in (head, ["---"] * len(head), *rows)]
    return "\n".join("| " + " | ".join(unwrapped(cell).replace("|", r"\|") for cell in line) + " |" for line in lines)
