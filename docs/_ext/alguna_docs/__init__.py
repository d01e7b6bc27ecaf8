"""What the pages need to become a site: they stay plain Markdown, which is read in the repository, too.

links       names of settings in the text, made links to the reference
unseen      comments, taken out
"""

from typing import Any

from sphinx.application import Sphinx

from . import comments, setting_links


def setup(app: Sphinx) -> dict[str, Any]:
    """Take part in the build."""
    app.add_transform(setting_links.SettingTargets)
    app.add_post_transform(setting_links.SettingLinks)
    app.add_post_transform(comments.Unseen)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
