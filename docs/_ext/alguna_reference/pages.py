"""Generated parts of the reference pages. Each is between two marks; text outside the marks is kept."""

from collections.abc import Callable
from pathlib import Path

from . import django_objects, docstrings

FOLDER = Path(__file__).resolve().parents[2] / "reference"
BEGIN, END = "<!-- made from the code by `make reference` -->\n", "<!-- until here -->\n"

RENDERERS: dict[str, Callable[[], str]] = {
    "settings": docstrings.render_settings,
    "checks": docstrings.render_checks,
    "signals": docstrings.render_signals,
    "events": docstrings.render_events,
    "exceptions": docstrings.render_exceptions,
    "tags": django_objects.render_tags,
    "commands": django_objects.render_commands,
    "models": django_objects.render_models,
    "urls": django_objects.render_urls,
}


def get_path(name: str) -> Path:
    """Return the path of a page."""
    return FOLDER / f"{name}.md"


def update_page(name: str, text: str) -> str:
    """Return the text of a page with a new generated part; raise `LookupError` if the marks are missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise LookupError(f"{name}.md lacks the marks between which its part belongs: {BEGIN}{END}")
    return f"{before}{BEGIN}\n{RENDERERS[name]()}\n\n{END}{after}"
