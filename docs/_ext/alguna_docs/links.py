"""Names of settings in the text, made links to the reference: the pages stay plain Markdown."""

import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.transforms.post_transforms import SphinxPostTransform

NAME = re.compile(r"(ALGUNA_PORTAL_[A-Z_]+)\b")


class SettingLinks(SphinxPostTransform):
    """Turn a literal that begins with the name of a setting into a link to it."""

    default_priority = 5  # before references are resolved

    def run(self, **_: Any) -> None:
        """Go through the page's literals."""
        for literal in list(self.document.findall(nodes.literal)):
            match = NAME.match(literal.astext())
            if match is None or isinstance(literal.parent, nodes.reference | pending_xref):
                continue
            target = {"refdomain": "std", "reftype": "confval", "reftarget": match[1], "refexplicit": True}
            link = pending_xref("", refdoc=self.env.docname, refwarn=True, **target)
            literal.replace_self(link)
            link += literal
