"""What users test with: the examples of the documentation as they stand there, and the fake's own manners."""

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
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PYTEST_", "COV_"))}
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
def test_the_documented_examples_pass_in_a_project_of_their_own(tmp_path: Path, number: int) -> None:
    """Each example stands alone, in a project that has neither a key nor the sandbox; the plugin finds itself."""
    for name, content in PROJECT.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "test_example.py").write_text(EXAMPLES[number])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    ran = subprocess.run(command, cwd=tmp_path, env=CLEAN, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_there_are_four_examples() -> None:
    """The count is the documentation's promise, and keeps the test above from testing nothing."""
    assert len(EXAMPLES) == 4


@pytest.mark.slow
def test_unittest_needs_no_pytest(tmp_path: Path) -> None:
    """The second example runs under Django's own test runner, where pytest cannot be imported."""
    for name, content in PROJECT.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "tests.py").write_text(EXAMPLES[1])
    (tmp_path / "pytest.py").write_text("raise ImportError('pytest is not here')")
    command = [sys.executable, "-m", "django", "test", "--settings=settings", "--pythonpath=."]
    ran = subprocess.run(command, cwd=tmp_path, env=CLEAN, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "Ran 2 tests" in ran.stderr


def test_a_fake_refuses_what_alguna_would_refuse(settings: Settings) -> None:
    """Without a key, or under another one, there is no answer but 401."""
    with fake_alguna() as alguna:
        answer = requests.post(f"{settings.ALGUNA_PORTAL_API_URL}/customers", data=b"not JSON", timeout=1)
        assert answer.status_code == 401
        assert alguna.requests[-1].body == {}
        assert alguna.requests[-1].path == "/customers"


def test_two_fakes_share_nothing() -> None:
    """Neither cached sessions nor a breaker that the test before has tripped."""
    with fake_alguna() as first:
        first.fail(503, times=10)
        for _ in range(10):
            with pytest.raises(AlgunaUnavailable):
                open_session(ACME)
    with fake_alguna() as second:
        assert open_session(ACME).url == second.sessions[0].url


def test_a_request_may_fail_on_the_way() -> None:
    """With any exception of `requests`, as often as it is told."""
    with fake_alguna() as alguna:
        alguna.fail(requests.ConnectionError(), times=2)
        for _ in range(2):
            with pytest.raises(AlgunaUnavailable, match="ConnectionError"):
                open_session(ACME)
        assert open_session(ACME).url == alguna.sessions[0].url
        assert len(alguna.requests) == 3


def test_sessions_expire_where_they_are_cached(settings: Settings) -> None:
    """The next click makes a new one, without anybody's clock being moved."""
    settings.ALGUNA_PORTAL_SESSION_REUSE = "customer"
    with fake_alguna() as alguna:
        assert open_session(ACME).url == open_session(ACME).url
        alguna.expire_sessions()
        assert open_session(ACME).url == alguna.sessions[1].url


def test_a_host_with_a_portal_domain_of_its_own_is_served(settings: Settings) -> None:
    """The fake's portal is on the list, whatever else is."""
    settings.ALGUNA_PORTAL_URL_HOSTS = ["billing.example.com"]
    with fake_alguna() as alguna:
        assert open_session(ACME).url == alguna.sessions[0].url


def test_a_dropped_connection_is_one(settings: Settings) -> None:
    """The sandbox's faults, asked for by header, work at the fake, too."""
    with fake_alguna(), pytest.raises(requests.ConnectionError):
        requests.post(
            f"{settings.ALGUNA_PORTAL_API_URL}/customers",
            headers={"Authorization": f"Bearer {settings.ALGUNA_PORTAL_API_KEY}", "Alguna-Sandbox-Fault": "drop"},
            timeout=1,
        )


def test_a_page_instead_of_an_answer_can_be_had() -> None:
    """As a proxy sends it."""
    with fake_alguna() as alguna:
        alguna.fail(200, html="<h1>Welcome</h1>")
        with pytest.raises(UnexpectedResponse, match="not with a JSON object"):
            open_session(ACME)


def test_the_earlier_api_is_faked_too(settings: Settings) -> None:
    """A host on the portal guide's API tests in the same way."""
    settings.ALGUNA_PORTAL_API_VERSION = "legacy"
    with fake_alguna() as alguna:
        assert open_session(ACME, role="viewer").url == alguna.sessions[-1].url
        assert alguna.sessions[-1].settings["billingDetailsSettings"] == {"showSection": False}


def test_customers_may_have_to_be_added() -> None:
    """For tests of what happens when Alguna does not know one."""
    with fake_alguna(knows_everyone=False) as alguna:
        with pytest.raises(CustomerUnknown):
            open_session(ACME)
        customer_id = alguna.add_customer("42", name="Acme")
        assert open_session(ACME).customer_id == customer_id


def test_other_hosts_are_none_of_its_business(settings: Settings) -> None:
    """Requests that are not for Alguna go where they always went."""
    with fake_alguna(), pytest.raises(requests.ConnectionError):
        requests.get("http://127.0.0.1:1/", timeout=1)
