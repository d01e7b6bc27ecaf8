"""The set-ups that three pages of the docs offer for copying: each runs as it stands there, in a project of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = Path(__file__).parent.parent.parent / "docs" / "howto"
SETUPS = ("one-user.md", "companies.md", "organizations.md")
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PYTEST_", "COV_"))}
PROJECT = {
    "settings.py": """
import django

SECRET_KEY = "x"
ROOT_URLCONF = "urls"
LOGIN_URL = "/login/"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "alguna_portal", "my_app",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    },
]
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
ALGUNA_PORTAL_API_KEY = "key_1.secret"
ALGUNA_PORTAL_PLANS = {
    "starter": {},
    "enterprise": {"plan_overview_settings": {"allow_subscription_cancel": False}},
}
""",
    "urls.py": """
from django.urls import include, path

urlpatterns = [path("billing/", include("alguna_portal.urls"))]
""",
    # Without migrations, since those of the host are no part of a set-up.
    "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = settings\npythonpath = .\naddopts = --nomigrations\n",
    "my_app/__init__.py": "",
}


def setups() -> dict[str, dict[str, str]]:
    """Find the set-ups: the files of each page, whose code blocks name their files."""
    found = {}
    for name in SETUPS:
        blocks = re.findall(r"```python\n(.*?)```", (PAGES / name).read_text(), re.DOTALL)
        files = {block.partition("\n")[0].removeprefix("# "): block for block in blocks}
        assert len(files) == len(blocks), "Two blocks of one set-up name the same file."
        found[name] = files
    return found


def lay_out(project: Path, files: dict[str, str]) -> None:
    """Write a project with a set-up in it; what it says of a file that is there is added to it."""
    for name in PROJECT | files:
        path = project / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(PROJECT.get(name, "") + files.get(name, ""))


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Python module in a project, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-m", *arguments]
    return subprocess.run(command, cwd=project, env=CLEAN, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("title", setups())
@pytest.mark.slow
def test_a_documented_setup_works_in_a_project_of_its_own(tmp_path: Path, title: str) -> None:
    """Its own tests pass, which click on Billing as those who may and those who may not."""
    files = setups()[title]
    lay_out(tmp_path, files)
    ran = run(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "my_app/tests.py")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{files['my_app/tests.py'].count('def test_')} passed" in ran.stdout


@pytest.mark.parametrize("title", setups())
@pytest.mark.slow
def test_a_documented_setup_passes_the_checks(tmp_path: Path, title: str) -> None:
    """Also those of the hooks: nothing is said but that LocMem is no cache for production."""
    lay_out(tmp_path, setups()[title])
    ran = run(tmp_path, "django", "check", "--settings=settings", "--pythonpath=.")
    assert ran.returncode == 0, ran.stderr
    assert set(re.findall(r"alguna_portal\.[EW]\d+", ran.stderr)) <= {"alguna_portal.W005"}


def test_there_are_three_setups() -> None:
    """The count is the documentation's promise, and keeps the tests above from testing nothing."""
    assert len(setups()) == 3
    assert all("my_app/tests.py" in files for files in setups().values())
