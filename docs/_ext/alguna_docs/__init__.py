"""Sphinx extension for the documentation. Its pages stay plain Markdown, because they're also read in the repository.

setting_links   links names of settings to the reference
comments        removes comments
"""

from typing import Any

from sphinx.application import Sphinx

from . import comments, setting_links


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the transforms."""
    app.add_transform(setting_links.SettingTargets)
    app.add_post_transform(setting_links.SettingLinks)
    app.add_post_transform(comments.CommentRemover)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
