"""A newcomer with a fresh project, the wheel and the README: what stands there is done as it stands there."""

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.package.conftest import ROOT, Environment, run
from tests.package.pages import Section, pages_with, section

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("package")]

INSTALL = "Install it in five minutes"
SANDBOXES = pages_with("Develop without an account")

# What every host has and no page says: somebody to sign in, and a page of their own.
HOME = """
from django.views.generic import TemplateView

urlpatterns += [path("", TemplateView.as_view(template_name="home.html"))]
"""
PERSON = {
    "DJANGO_SUPERUSER_USERNAME": "mia",
    "DJANGO_SUPERUSER_PASSWORD": "sesame",
    "DJANGO_SUPERUSER_EMAIL": "m@x.example",
}


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project that `django-admin startproject` made."""

    folder: Path
    clean: Environment
    port: int

    def add(self, file: str, text: str) -> None:
        """Add to one of its files, at the end."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as target:
            target.write(f"\n{text}")

    def manage(self, *arguments: str) -> str:
        """Run `manage.py`, with warnings of Python's as errors; return what it prints."""
        command = [str(self.clean.folder / "bin" / "python"), "-W", "error", "manage.py", *arguments]
        done = run(*command, cwd=self.folder, env=self.env)
        return done.stdout + done.stderr

    @property
    def env(self) -> dict[str, str]:
        """The key, which the settings take from the environment."""
        return {**self.clean.env, **PERSON, "ALGUNA_PORTAL_API_KEY": "key_1.secret"}

    @contextmanager
    def served(self) -> Iterator[str]:
        """Run its server; yield where it listens."""
        command = [
            str(self.clean.folder / "bin" / "python"),
            "manage.py",
            "runserver",
            "--noreload",
            f"localhost:{self.port}",
        ]
        with (self.folder / "log").open("w") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=self.env, stdout=log, stderr=log)
            try:
                for _ in range(300):
                    with closing(socket.socket()) as probe:
                        if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                            break
                    assert process.poll() is None, (self.folder / "log").read_text()
                    time.sleep(0.1)
                yield f"http://localhost:{self.port}"
            finally:
                process.kill()
                process.wait()


def install() -> Section:
    """The section that says how."""
    found = section(ROOT / "README.md", INSTALL)
    assert found, f"README.md has no “{INSTALL}”."
    return found


@pytest.fixture(scope="module")
def installed(clean: Environment, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The environment, after what the README says to type."""
    for block in install().of("sh"):
        clean.shell(block, cwd=tmp_path_factory.mktemp("typed"))
    return clean


@pytest.fixture
def project(installed: Environment, tmp_path: Path) -> Project:
    """A fresh project, to which the README's blocks have been added in their order: settings, URLs, template."""
    installed.shell("django-admin startproject shop .", cwd=tmp_path)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    project = Project(folder=tmp_path, clean=installed, port=port)
    settings, urls, _ = install().of("python")
    (template,) = install().of("django", "html")
    project.add("shop/settings.py", settings + 'INSTALLED_APPS += ["shop"]\n')
    project.add("shop/urls.py", urls + HOME)
    project.add("shop/templates/home.html", template)
    return project


def sign_in(site: str) -> requests.Session:
    """Sign in as everybody does in a fresh project: through the admin."""
    browser = requests.Session()
    browser.trust_env = False
    page = browser.get(f"{site}/admin/login/", timeout=30)
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[0]
    form = {"username": "mia", "password": "sesame", "csrfmiddlewaretoken": token, "next": "/"}
    assert browser.post(f"{site}/admin/login/", form, headers={"Referer": page.url}, timeout=30).status_code == 200
    return browser


def test_the_wheel_brings_what_it_needs_and_no_tests(installed: Environment) -> None:
    """What the README installs: no pytest, no Redis, nothing of ours but the app."""
    listed = installed.shell("pip list --format=freeze", cwd=installed.folder, PIP_QUIET="0")
    names = {line.partition("==")[0].lower() for line in listed.splitlines()}
    assert {"django", "alguna_portal"} <= names
    assert not names & {"pytest", "pytest-django", "responses", "redis", "cryptography", "reportlab"}
    run(str(installed.folder / "bin" / "pip"), "check", env=installed.env)


@pytest.mark.parametrize("page", SANDBOXES)
def test_five_minutes_lead_to_the_portal(project: Project, page: str) -> None:
    """Check, migrate, the first customer; and then, on the sandbox, a click on Billing."""
    assert "alguna_portal.E" not in project.manage("check")
    project.manage("migrate", "--verbosity", "0")
    project.manage("createsuperuser", "--noinput")
    *_, who_is_billed = install().of("python")
    user = "from django.contrib.auth.models import User\nuser = User.objects.get()\n"
    project.manage("shell", "-c", user + who_is_billed)

    sandbox = SANDBOXES[page]
    for part in ("settings", "urls"):
        (text,) = sandbox.python(part)
        project.add(f"shop/{part}.py", text.replace("localhost:8000", f"localhost:{project.port}"))
    project.manage("migrate", "--verbosity", "0")
    (customer,) = sandbox.python("")
    project.manage("shell", "-c", customer)

    with project.served() as site:
        browser = sign_in(site)
        home = browser.get(f"{site}/", timeout=30)
        (button,) = re.findall(r'<a [^>]*href="([^"]+)"', home.text)
        asked = browser.get(site + button, timeout=30, allow_redirects=False)
        assert asked.status_code == 302, (project.folder / "log").read_text()
        portal = browser.get(asked.headers["Location"], timeout=30)
        assert portal.url.startswith(f"{site}/sandbox/"), portal.url
        assert (portal.status_code, "Acme" in portal.text) == (200, True)
        assert requests.get(f"{site}/", timeout=30).text.strip() == "", "A visitor saw the button."


def test_the_sandbox_is_described_somewhere() -> None:
    """Otherwise the test above would run on no page, and pass."""
    assert SANDBOXES
    assert [language for language, _ in install().blocks] == ["sh", "python", "python", "django", "python"]


def test_testing_is_imported_without_pytest(project: Project) -> None:
    """For those whose tests are unittest's."""
    project.manage("shell", "-c", "import alguna_portal.testing, sys\nassert 'pytest' not in sys.modules")
