"""What was made from the code, put into its page: between two marks, and nothing around them is touched."""

from collections.abc import Callable
from pathlib import Path

from . import django_objects, docstrings

FOLDER = Path(__file__).resolve().parents[2] / "reference"
BEGIN, END = "<!-- made from the code by `make reference` -->\n", "<!-- until here -->\n"

RENDERERS: dict[str, Callable[[], str]] = {
    "settings": docstrings.settings,
    "checks": docstrings.checks,
    "signals": docstrings.signals,
    "events": docstrings.events,
    "exceptions": docstrings.exceptions,
    "tags": django_objects.tags,
    "commands": django_objects.commands,
    "models": django_objects.models,
    "urls": django_objects.urls,
}


def get_path(name: str) -> Path:
    """Name the page of a part."""
    return FOLDER / f"{name}.md"


def update_page(name: str, text: str) -> str:
    """Return a page's text with its part as the code has it now; raise `LookupError` for a page without the marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise LookupError(f"{name}.md lacks the marks between which its part belongs: {BEGIN}{END}")
    return f"{before}{BEGIN}\n{RENDERERS[name]()}\n\n{END}{after}"
