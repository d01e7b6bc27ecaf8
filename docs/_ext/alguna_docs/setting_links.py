"""Sphinx transforms that link names of settings to their headings in the reference."""

import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

NAME = re.compile(r"(ALGUNA_PORTAL_[A-Z_]+)\b")


class SettingTargets(SphinxTransform):
    """Register headings that are names of settings as targets of links."""

    default_priority = 500

    def apply(self, **_: Any) -> None:
        """Register the sections of a page."""
        for section in self.document.findall(nodes.section):
            title = section[0].astext()
            if NAME.fullmatch(title):
                section["ids"].insert(0, f"confval-{title}")
                self.env.domains.standard_domain.note_object("confval", title, section["ids"][0], location=section)


class SettingLinks(SphinxPostTransform):
    """Link literals that begin with the name of a setting to its heading."""

    default_priority = 5  # before references are resolved

    def run(self, **_: Any) -> None:
        """Link the literals of a page, except in headings and links."""
        for literal in list(self.document.findall(nodes.literal)):
            match = NAME.match(literal.astext())
            if match is None or isinstance(literal.parent, nodes.reference | pending_xref | nodes.title):
                continue
            target = {"refdomain": "std", "reftype": "confval", "reftarget": match[1], "refexplicit": True}
            link = pending_xref("", refdoc=self.env.docname, refwarn=True, **target)
            literal.replace_self(link)
            link += literal
