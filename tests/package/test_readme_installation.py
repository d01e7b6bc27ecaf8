"""The README's installation works in a new project with the wheel, and the documented sandbox opens a portal."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.docs.code_blocks import ROOT, Block, find_pages, read_section
from tests.package.conftest import Environment, read_install_section, run
from tests.support.development_server import create_browser, get_free_port, run_development_server, sign_in_to_admin

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("package")]

SECTIONS = {str(path.relative_to(ROOT)): read_section(path, "Develop without an account") for path in find_pages()}
SANDBOX_SECTIONS = {page: blocks for page, blocks in SECTIONS.items() if blocks}
# Hosts have a page and users already, so the README doesn't create them.
HOME_PAGE = """
from django.views.generic import TemplateView

urlpatterns += [path("", TemplateView.as_view(template_name="home.html"))]
"""
SUPERUSER = {
    "DJANGO_SUPERUSER_USERNAME": "mia",
    "DJANGO_SUPERUSER_PASSWORD": "sesame",
    "DJANGO_SUPERUSER_EMAIL": "m@x.example",
}


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project created by `django-admin startproject`."""

    folder: Path
    environment: Environment

    @property
    def env(self) -> dict[str, str]:
        """The environment's variables, with those that the settings and `createsuperuser` read."""
        return {**self.environment.env, **SUPERUSER, "ALGUNA_PORTAL_API_KEY": "key_1.secret"}

    def append(self, file: str, text: str) -> None:
        """Append text to a file of the project, which may not exist yet."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as target:
            target.write(f"\n{text}")

    def manage(self, *arguments: str) -> str:
        """Run `manage.py` with Python's warnings as errors; return its output."""
        done = run(self.environment.python, "-W", "error", "manage.py", *arguments, cwd=self.folder, env=self.env)
        return done.stdout + done.stderr


def get_python(blocks: list[Block]) -> list[str]:
    """Return the texts of the Python blocks."""
    return [block.text for block in blocks if block.language == "python"]


@pytest.fixture
def project(installed: Environment, tmp_path: Path) -> Project:
    """A new project with the README's settings, URLs and template."""
    installed.run_shell("django-admin startproject shop .", cwd=tmp_path)
    project = Project(folder=tmp_path, environment=installed)
    settings, urls, _ = get_python(read_install_section())
    (template,) = [block.text for block in read_install_section() if block.language in ("django", "html")]
    project.append("shop/settings.py", settings + 'INSTALLED_APPS += ["shop"]\n')
    project.append("shop/urls.py", urls + HOME_PAGE)
    project.append("shop/templates/home.html", template)
    return project


def test_the_installation_brings_only_the_required_packages(installed: Environment) -> None:
    listed = installed.run_shell("pip list --format=freeze", cwd=installed.folder, PIP_QUIET="0")
    names = {line.partition("==")[0].lower() for line in listed.splitlines()}
    assert {"django", "alguna_portal"} <= names
    assert not names & {"pytest", "pytest-django", "responses", "redis", "cryptography", "reportlab"}
    run(str(installed.folder / "bin" / "pip"), "check", env=installed.env)


@pytest.mark.parametrize("page", SANDBOX_SECTIONS)
def test_the_billing_button_opens_the_sandbox_portal(project: Project, page: str) -> None:
    """The README's steps and those of the page lead from a new project to the portal of the first customer."""
    assert "alguna_portal.E" not in project.manage("check")
    project.manage("migrate", "--verbosity", "0")
    project.manage("createsuperuser", "--noinput")
    *_, create_membership = get_python(read_install_section())
    user = "from django.contrib.auth.models import User\nuser = User.objects.get()\n"
    project.manage("shell", "-c", user + create_membership)

    port = get_free_port()
    settings, urls, add_customer = get_python(SANDBOX_SECTIONS[page])
    for name, text in (("settings.py", settings), ("urls.py", urls)):
        assert text.startswith(f"# {name}\n")
        project.append(f"shop/{name}", text.replace("localhost:8000", f"localhost:{port}"))
    project.manage("migrate", "--verbosity", "0")
    project.manage("shell", "-c", add_customer)

    site, browser = f"http://localhost:{port}", create_browser()
    with run_development_server(project.environment.python, port, cwd=project.folder, env=project.env):
        sign_in_to_admin(browser, site, username="mia", password="sesame")
        home = browser.get(f"{site}/", timeout=30)
        (button,) = re.findall(r'<a [^>]*href="([^"]+)"', home.text)
        response = browser.get(site + button, timeout=30, allow_redirects=False)
        assert response.status_code == 302, (project.folder / "log").read_text()
        portal = browser.get(response.headers["Location"], timeout=30)
        assert portal.url.startswith(f"{site}/sandbox/"), portal.url
        assert (portal.status_code, "Acme" in portal.text) == (200, True)
        assert requests.get(f"{site}/", timeout=30).text.strip() == "", "An anonymous user saw the button."


def test_the_sections_are_found() -> None:
    """If no page had the section, the test above would run on no page and pass."""
    assert SANDBOX_SECTIONS
    assert [block.language for block in read_install_section()] == ["sh", "python", "python", "django", "python"]


def test_the_testing_module_is_imported_without_pytest(project: Project) -> None:
    """Hosts that use unittest don't need pytest."""
    project.manage("shell", "-c", "import alguna_portal.testing, sys\nassert 'pytest' not in sys.modules")
