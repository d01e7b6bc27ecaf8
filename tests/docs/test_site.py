"""Sphinx builds the site without warnings, and the site loads nothing from other hosts."""

import importlib.util
import os
import re
from pathlib import Path

import pytest

from tests.docs.code_blocks import ROOT
from tests.docs.processes import run_module

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("site")]

# Resources that a browser loads by itself; links that a reader follows don't match.
LOADED = re.compile(
    r"<(?:link|script|img|iframe|source)\b[^>]*?\b(?:href|src)=\"(?:https?:)?//[^\"]*\"|url\(['\"]?(?:https?:)?//|@import"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built like `make docs`. If Sphinx isn't installed, the tests are skipped; in CI they fail."""
    if not all(map(importlib.util.find_spec, ("sphinx", "furo", "myst_parser"))):
        missing = "SPHINX IS NOT INSTALLED: the documentation was not built. pip install -e '.[docs]'"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    folder = tmp_path_factory.mktemp("site")
    options = ("--fail-on-warning", "--keep-going", "--quiet")
    done = run_module("sphinx", *options, "docs", str(folder), cwd=ROOT, timeout=300, warnings="default")
    assert done.returncode == 0, done.stderr
    return folder


def test_nothing_is_loaded_from_other_hosts(site: Path) -> None:
    """No script, style, font or image."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for path in [*pages, *site.rglob("*.css")]:
        assert LOADED.search(path.read_text()) is None, path


def test_names_of_settings_link_to_the_reference(site: Path) -> None:
    """Each setting has an anchor that other sites can link to."""
    assert 'id="confval-ALGUNA_PORTAL_API_KEY"' in (site / "reference" / "settings.html").read_text()
    link = 'href="../reference/settings.html#confval-ALGUNA_PORTAL_SITE_URL"'
    assert link in (site / "howto" / "links.html").read_text()


def test_comments_are_removed(site: Path) -> None:
    """The comments that say which test runs a block are only for authors."""
    for path in site.rglob("*.html"):
        assert not re.search(r"all run by tests|<!-- (?:not )?run", path.read_text()), path
