"""Sphinx transform that removes comments, which tell authors which test runs a code block."""

from typing import Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform


class CommentRemover(SphinxPostTransform):
    """Remove HTML comments from a page."""

    default_priority = 5

    def run(self, **_: Any) -> None:
        """Remove the comment nodes and raw nodes that are comments."""
        for node in [*self.document.findall(nodes.comment), *self.document.findall(nodes.raw)]:
            if isinstance(node, nodes.comment) or node.astext().startswith("<!--"):
                node.parent.remove(node)
