"""`alguna_portal.testing`: the documented examples, and the behaviour of the fake."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from pytest_django import Settings

from alguna_portal.exceptions import AlgunaUnavailable, CustomerUnknown, UnexpectedResponse
from alguna_portal.models import Customer
from alguna_portal.sessions import open_session
from alguna_portal.testing import fake_alguna

EXAMPLES = re.findall(
    r"```python\n(.*?)```",
    (Path(__file__).parent.parent.parent / "docs" / "howto" / "testing.md").read_text(),
    re.DOTALL,
)
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PYTEST_", "COV_"))}
ACME = Customer(alias="42")
PROJECT = {
    "settings.py": """
SECRET_KEY = "x"
ROOT_URLCONF = "urls"
LOGIN_URL = "/login/"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "alguna_portal",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
ALGUNA_PORTAL_PLANS = {"enterprise": {"plan_overview_settings": {"allow_subscription_cancel": False}}}
""",
    "urls.py": """
from django.urls import include, path

urlpatterns = [path("billing/", include("alguna_portal.urls"))]
""",
    "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = settings\npythonpath = .\n",
}


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
@pytest.mark.slow
def test_documented_examples_pass_in_a_new_project(tmp_path: Path, number: int) -> None:
    """The project has neither an API key nor the sandbox, and finds the pytest plugin."""
    for name, content in PROJECT.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "test_example.py").write_text(EXAMPLES[number])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    process = subprocess.run(
        command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60
    )
    assert process.returncode == 0, process.stdout + process.stderr


def test_documentation_has_four_examples() -> None:
    """If none were found, the test above would test nothing."""
    assert len(EXAMPLES) == 4


@pytest.mark.slow
def test_unittest_example_does_not_need_pytest(tmp_path: Path) -> None:
    """Django's test runner runs the second example in a project where pytest can't be imported."""
    for name, content in PROJECT.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "tests.py").write_text(EXAMPLES[1])
    (tmp_path / "pytest.py").write_text("raise ImportError('pytest is not here')")
    command = [sys.executable, "-m", "django", "test", "--settings=settings", "--pythonpath=."]
    process = subprocess.run(
        command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60
    )
    assert process.returncode == 0, process.stderr
    assert "Ran 2 tests" in process.stderr


def test_fake_requires_its_api_key(settings: Settings) -> None:
    with fake_alguna() as alguna:
        response = requests.post(f"{settings.ALGUNA_PORTAL_API_URL}/customers", data=b"not JSON", timeout=1)
        assert response.status_code == 401
        assert alguna.requests[-1].body == {}
        assert alguna.requests[-1].path == "/customers"


def test_fakes_are_independent() -> None:
    """They share neither cached sessions nor the state of the circuit breaker."""
    with fake_alguna() as first:
        first.fail(503, times=10)
        for _ in range(10):
            with pytest.raises(AlgunaUnavailable):
                open_session(ACME)
    with fake_alguna() as second:
        assert open_session(ACME).url == second.sessions[0].url


def test_requests_can_fail_with_an_exception() -> None:
    with fake_alguna() as alguna:
        alguna.fail(requests.ConnectionError(), times=2)
        for _ in range(2):
            with pytest.raises(AlgunaUnavailable, match="ConnectionError"):
                open_session(ACME)
        assert open_session(ACME).url == alguna.sessions[0].url
        assert len(alguna.requests) == 3


def test_sessions_can_be_expired(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    with fake_alguna() as alguna:
        assert open_session(ACME).url == open_session(ACME).url
        alguna.expire_sessions()
        assert open_session(ACME).url == alguna.sessions[1].url


def test_portal_host_of_the_fake_is_always_allowed(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_URL_HOSTS = ["billing.example.com"]
    with fake_alguna() as alguna:
        assert open_session(ACME).url == alguna.sessions[0].url


def test_connection_can_be_dropped(settings: Settings) -> None:
    """The fake supports the sandbox's header for simulated faults."""
    with fake_alguna(), pytest.raises(requests.ConnectionError):
        requests.post(
            f"{settings.ALGUNA_PORTAL_API_URL}/customers",
            headers={"Authorization": f"Bearer {settings.ALGUNA_PORTAL_API_KEY}", "Alguna-Sandbox-Fault": "drop"},
            timeout=1,
        )


def test_response_can_be_an_html_page() -> None:
    with fake_alguna() as alguna:
        alguna.fail(200, html="<h1>Welcome</h1>")
        with pytest.raises(UnexpectedResponse, match="not with a JSON object"):
            open_session(ACME)


def test_legacy_api_is_supported(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_API_VERSION = "legacy"
    with fake_alguna() as alguna:
        assert open_session(ACME, role="viewer").url == alguna.sessions[-1].url
        assert alguna.sessions[-1].settings["billingDetailsSettings"] == {"showSection": False}


def test_unknown_customers_can_be_simulated() -> None:
    with fake_alguna(knows_everyone=False) as alguna:
        with pytest.raises(CustomerUnknown):
            open_session(ACME)
        customer_id = alguna.add_customer("42", name="Acme")
        assert open_session(ACME).customer_id == customer_id


def test_requests_to_other_hosts_are_not_changed(settings: Settings) -> None:
    with fake_alguna(), pytest.raises(requests.ConnectionError):
        requests.get("http://127.0.0.1:1/", timeout=1)
