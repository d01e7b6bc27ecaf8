"""The reference, made from the code as the site is built: each directive writes Markdown, and Sphinx reads that.

    code        settings, checks, signals and events: what the modules and their docstrings say
    host        template tags, commands, models and addresses: what Django knows of them
    links       names of settings in the text, made links to the reference
    unseen      comments, taken out

The Markdown is made without Sphinx, so that tests can read it, too.
"""

from collections.abc import Callable
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from . import code, host, links, unseen

GENERATED: dict[str, Callable[[], str]] = {
    "settings": code.settings,
    "checks": code.checks,
    "signals": code.signals,
    "events": code.events,
    "exceptions": code.exceptions,
    "tags": host.tags,
    "commands": host.commands,
    "models": host.models,
    "urls": host.urls,
}


class Generated(SphinxDirective):
    """`{alguna} settings`: what the code says of its settings stands here.

    Where something stands before the first heading, the page asks for it apart: `{alguna} settings opening`, and then
    `{alguna} settings sections`. Sections that are parsed here come before all else that is.
    """

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write it, and have Sphinx read it as part of the page."""
        text = GENERATED[self.arguments[0]]()
        opening, heading, sections = text.partition("## ")
        part = self.arguments[1] if len(self.arguments) > 1 else "all"
        text = {"opening": opening, "sections": heading + sections, "all": text}[part]
        return self.parse_text_to_nodes(text, allow_section_headings=part != "opening")


def setup(app: Sphinx) -> dict[str, Any]:
    """Take part in the build."""
    app.add_directive("alguna", Generated)
    app.add_post_transform(links.SettingLinks)
    app.add_post_transform(unseen.Unseen)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
