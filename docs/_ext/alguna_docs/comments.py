"""Comments in the pages, taken out: they say who runs a block, and are for whoever writes the pages."""

from typing import Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform


class Unseen(SphinxPostTransform):
    """Take comments out of the page."""

    default_priority = 5

    def run(self, **_: Any) -> None:
        """Go through the page, and drop them."""
        for node in [*self.document.findall(nodes.comment), *self.document.findall(nodes.raw)]:
            if isinstance(node, nodes.comment) or node.astext().startswith("<!--"):
                node.parent.remove(node)
