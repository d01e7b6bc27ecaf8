# ruff: noqa: INP001  (Sphinx executes this file)
"""Sphinx configuration: `make docs` builds the site. Neither the build nor the site loads anything from the network."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from alguna_reference.django_project import set_up_django  # noqa: E402

set_up_django()

from alguna_portal import __version__  # noqa: E402

project = "alguna_portal"
author = "The alguna_portal contributors"
version = release = __version__
language = "en_GB"

extensions = ["myst_parser", "sphinx.ext.autodoc", "alguna_docs"]
exclude_patterns = ["_build", "_ext"]
templates_path: list[str] = []

myst_heading_anchors = 3
myst_links_external_new_tab = False
# Docstrings have names in single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100

nitpicky = True
# Objects of other packages, and our own that autodoc doesn't describe.
nitpick_ignore_regex = [
    ("py:.*", r"(django|requests|collections|datetime|pathlib|typing|contextlib|types)\..*"),
    ("py:.*", r"(AbstractBaseUser|AnonymousUser|Customer|PortalLink)"),
    ("py:.*", r"(list\[tuple\[~)?alguna_portal\.(api\.responses|models|sandbox|testing|webhooks)\..*"),
]

html_theme = "furo"
html_title = f"alguna_portal {release}"
html_static_path: list[str] = []
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#4338ca", "color-brand-content": "#4338ca"},
    "dark_css_variables": {"color-brand-primary": "#a5b4fc", "color-brand-content": "#a5b4fc"},
}
