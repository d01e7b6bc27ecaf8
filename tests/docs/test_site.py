"""The site is built without a warning, and asks nobody else for anything."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.code_blocks import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("site")]

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PYTEST_", "COV_"))}
# What a browser fetches by itself; links that people follow are none of these.
FETCHED = re.compile(
    r"<(?:link|script|img|iframe|source)\b[^>]*?\b(?:href|src)=\"(?:https?:)?//[^\"]*\"|url\(['\"]?(?:https?:)?//|@import"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it as `make docs` does; skipped, aloud, where Sphinx is not installed."""
    if not all(map(importlib.util.find_spec, ("sphinx", "furo", "myst_parser"))):
        missing = "SPHINX IS NOT INSTALLED: the documentation was not built. pip install -e '.[docs]'"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "docs", str(folder)]
    built = subprocess.run(command, cwd=ROOT, env=CLEAN, capture_output=True, text=True, timeout=300, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """Neither a script nor a style, a font or a picture."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for path in [*pages, *site.rglob("*.css")]:
        assert FETCHED.search(path.read_text()) is None, path


def test_the_settings_can_be_linked_to(site: Path) -> None:
    """From a page that names one, and from other sites."""
    assert 'id="confval-ALGUNA_PORTAL_API_KEY"' in (site / "reference" / "settings.html").read_text()
    link = 'href="../reference/settings.html#confval-ALGUNA_PORTAL_SITE_URL"'
    assert link in (site / "howto" / "links.html").read_text()


def test_what_is_run_unseen_is_unseen(site: Path) -> None:
    """Comments in the pages are for whoever writes them."""
    for path in site.rglob("*.html"):
        assert not re.search(r"all run by tests|<!-- (?:not )?run", path.read_text()), path
