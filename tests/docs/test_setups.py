"""The complete set-ups on three how-to pages work unchanged, each in its own project."""

import re
from pathlib import Path

import pytest

from tests.docs.code_blocks import ROOT, read_blocks
from tests.docs.processes import run_module
from tests.docs.project_files import INCLUDED, SETTINGS, URLS, write_files

SETUPS = ("one-user.md", "companies.md", "organizations.md")
PROJECT = {
    "settings.py": f'{SETTINGS}INSTALLED_APPS.append("alguna_portal")\nALGUNA_PORTAL_API_KEY = "key_1.secret"\n',
    "urls.py": URLS + INCLUDED,
    # Without migrations, because the set-ups have none for the host's own models.
    "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = settings\npythonpath = .\naddopts = --nomigrations\n",
    "my_app/__init__.py": "",
}


def read_setups() -> dict[str, dict[str, str]]:
    """Return the files of each page, whose Python blocks begin with the names of the files."""
    setups = {}
    for name in SETUPS:
        blocks = [each.text for each in read_blocks(ROOT / "docs" / "howto" / name) if each.language == "python"]
        setups[name] = {text.partition("\n")[0].removeprefix("# "): text for text in blocks}
        assert len(setups[name]) == len(blocks), "Two blocks of one set-up name the same file."
    return setups


def write_project(folder: Path, files: dict[str, str]) -> None:
    """Write a project with a set-up. The texts for existing files are appended to them."""
    write_files(folder, {name: PROJECT.get(name, "") + files.get(name, "") for name in PROJECT | files})


@pytest.mark.parametrize("title", read_setups())
@pytest.mark.slow
def test_the_tests_of_a_setup_pass(tmp_path: Path, title: str) -> None:
    """The page has tests of its own, which open the portal as users with and without access."""
    files = read_setups()[title]
    write_project(tmp_path, files)
    done = run_module("pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "my_app/tests.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{files['my_app/tests.py'].count('def test_')} passed" in done.stdout


@pytest.mark.parametrize("title", read_setups())
@pytest.mark.slow
def test_a_setup_passes_the_system_checks(tmp_path: Path, title: str) -> None:
    """Only the warning about LocMemCache in production is allowed."""
    write_project(tmp_path, read_setups()[title])
    done = run_module("django", "check", "--settings=settings", "--pythonpath=.", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(re.findall(r"alguna_portal\.[EW]\d+", done.stderr)) <= {"alguna_portal.W005"}


def test_there_are_three_setups() -> None:
    """If no set-up were found, the tests above would pass without testing anything."""
    assert len(read_setups()) == 3
    assert all("my_app/tests.py" in files for files in read_setups().values())
