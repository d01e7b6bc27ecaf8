"""docs/howto/testing.md says how all tests of a host are given the fake: whoever forgets it asks nobody else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.code_blocks import ROOT, blocks
from tests.docs.project_files import INCLUDED, SETTINGS, URLS

pytestmark = pytest.mark.slow

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PYTEST_", "COV_"))}
(ALL,) = [block.text for block in blocks(ROOT / "docs" / "howto" / "testing.md") if block.language == "toml"]
# Nobody answers there.
ELSEWHERE = """
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "alguna_portal"]
ALGUNA_PORTAL_API_KEY = "key_1.secret"
ALGUNA_PORTAL_API_URL = "http://127.0.0.1:9"
ALGUNA_PORTAL_RETRIES = 0
"""
FORGETFUL = """
from alguna_portal.models import Customer
from alguna_portal.sessions import open_session
from django.test import SimpleTestCase

def test_a_function():
    assert open_session(Customer(alias="42")).url

class Tests(SimpleTestCase):
    def test_a_method(self):
        assert open_session(Customer(alias="42")).url
"""


@pytest.mark.parametrize(("options", "outcome"), [(ALL, "2 passed"), ("", "2 failed")])
def test_whoever_forgets_the_fixture_has_it_all_the_same(tmp_path: Path, options: str, outcome: str) -> None:
    """With what the page says; and without it, Alguna would have been asked."""
    files = {"settings.py": SETTINGS + ELSEWHERE, "urls.py": URLS + INCLUDED, "test_it.py": FORGETFUL}
    for name, text in (files | {"pyproject.toml": options}).items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "--ds=settings", "-p", "no:cacheprovider", "-p", "no:randomly"]
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env=CLEAN | {"PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome in ran.stdout.splitlines()[-1], ran.stdout + ran.stderr
