"""With the option from docs/howto/testing.md, all tests of a host use the fake Alguna, without naming the fixture."""

from pathlib import Path

import pytest

from tests.docs.code_blocks import ROOT, read_blocks
from tests.docs.processes import run_module
from tests.docs.project_files import INCLUDED, SETTINGS, URLS, write_files

pytestmark = pytest.mark.slow

(OPTIONS,) = [each.text for each in read_blocks(ROOT / "docs" / "howto" / "testing.md") if each.language == "toml"]
# No server listens on this port.
UNREACHABLE = """
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "alguna_portal"]
ALGUNA_PORTAL_API_KEY = "key_1.secret"
ALGUNA_PORTAL_API_URL = "http://127.0.0.1:9"
ALGUNA_PORTAL_RETRIES = 0
"""
TESTS_WITHOUT_FIXTURE = """
from alguna_portal.models import Customer
from alguna_portal.sessions import open_session
from django.test import SimpleTestCase

def test_a_function():
    assert open_session(Customer(alias="42")).url

class Tests(SimpleTestCase):
    def test_a_method(self):
        assert open_session(Customer(alias="42")).url
"""


@pytest.mark.parametrize(("options", "outcome"), [(OPTIONS, "2 passed"), ("", "2 failed")])
def test_the_option_applies_the_fixture_to_all_tests(tmp_path: Path, options: str, outcome: str) -> None:
    """Without the option, the same tests try to connect to Alguna."""
    files = {"settings.py": SETTINGS + UNREACHABLE, "urls.py": URLS + INCLUDED, "test_it.py": TESTS_WITHOUT_FIXTURE}
    write_files(tmp_path, files | {"pyproject.toml": options})
    arguments = ("pytest", "-q", "--ds=settings", "-p", "no:cacheprovider", "-p", "no:randomly")
    done = run_module(*arguments, cwd=tmp_path, timeout=60, warnings="default")
    assert outcome in done.stdout.splitlines()[-1], done.stdout + done.stderr
