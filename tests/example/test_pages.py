"""The example project, run through `manage.py` in a separate process."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent

Manage = Callable[..., "subprocess.CompletedProcess[str]"]

PRODUCTION = {"DEBUG": "0", "SECRET_KEY": "a-secret-of-more-than-fifty-characters-0123456789-abcdefgh"}
SITE = {"ALLOWED_HOSTS": "kilnkeeper.example.com", "ALGUNA_PORTAL_API_KEY": "key_1.secret"}


@pytest.fixture
def manage(tmp_path: Path) -> Manage:
    """Run `manage.py` with a new database and without the developer's environment."""

    def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        env = {
            "PATH": os.environ["PATH"],
            "ENV_FILE": str(tmp_path / "none.env"),
            "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
            "MAILBOX": str(tmp_path / "mail"),
            **environment,
        }
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_checks_pass_without_environment_variables(manage: Manage) -> None:
    process = manage("check", "--fail-level", "WARNING")

    assert process.returncode == 0, process.stderr


def test_deployment_checks_pass_with_production_settings(manage: Manage) -> None:
    process = manage("check", "--deploy", "--fail-level", "WARNING", CACHE_URL="dbcache://cache", **PRODUCTION, **SITE)

    assert process.returncode == 0, process.stderr


def test_secret_key_is_required_in_production(manage: Manage) -> None:
    process = manage("check", DEBUG="0", **SITE)

    assert process.returncode != 0
    assert "Set the SECRET_KEY environment variable" in process.stderr


def test_api_key_switches_from_the_sandbox_to_alguna(manage: Manage) -> None:
    """The URL of the sandbox has the port in PORT."""
    show = "from django.conf import settings as s; print(s.ALGUNA_PORTAL_API_URL, s.ALGUNA_PORTAL_API_KEY)"

    sandboxed = manage("shell", "--no-imports", "-c", show, PORT="8123")
    live = manage("shell", "--no-imports", "-c", show, ALGUNA_PORTAL_API_KEY="key_1.secret")

    assert sandboxed.stdout.split() == ["http://localhost:8123/sandbox", "sandbox.secret"]
    assert live.stdout.split() == ["https://api.alguna.io", "key_1.secret"]


def test_api_url_without_api_key_is_rejected(manage: Manage) -> None:
    """Otherwise, the sandbox's key would be sent to Alguna."""
    process = manage("check", ALGUNA_PORTAL_API_URL="https://api.alguna.io")

    assert process.returncode != 0
    assert "ALGUNA_PORTAL_API_URL is set without ALGUNA_PORTAL_API_KEY. Set both, or neither." in process.stderr


def test_seed_fails_without_debug(manage: Manage) -> None:
    """It would create an admin with a known password."""
    process = manage("seed", **PRODUCTION, **SITE)

    assert process.returncode != 0
    assert "there is nothing to seed outside DEBUG" in process.stderr


def test_sandbox_is_not_installed_in_production(manage: Manage) -> None:
    show = (
        "from django.apps import apps; from django.urls import resolve, Resolver404\n"
        "print(apps.is_installed('alguna_portal.sandbox'))\n"
        "try: print(resolve('/sandbox/customers'))\n"
        "except Resolver404: print('nowhere')"
    )

    shown = manage("shell", "--no-imports", "-c", show, **PRODUCTION, **SITE)

    assert shown.stdout.split() == ["False", "nowhere"], shown.stderr


def test_second_seed_keeps_changes(manage: Manage) -> None:
    """It adds no one twice, and keeps a changed plan, a new alias and a removed role."""
    change = (
        "from alguna_portal.models import Customer, Membership\n"
        "Customer.objects.filter(alias='company-1').update(plan='enterprise', alias='acme')\n"
        "Membership.objects.filter(user__username='gil').delete()"
    )
    count = (
        "from alguna_portal.models import Customer, Membership; from alguna_portal.sandbox.models import get_state\n"
        "from django.contrib.auth.models import User\n"
        "print(User.objects.count(), Membership.objects.count(), len(get_state()['customers']))\n"
        "print(*sorted(f'{each.alias}:{each.plan}' for each in Customer.objects.all()))"
    )
    assert manage("migrate", "--verbosity", "0").returncode == 0

    first = manage("seed", PORT="8123")
    assert first.returncode == 0, first.stderr
    assert "http://localhost:8123/" in first.stdout
    assert manage("shell", "--no-imports", "-c", change).returncode == 0
    assert manage("seed").returncode == 0
    counted = manage("shell", "--no-imports", "-c", count)

    assert counted.stdout.splitlines() == [
        "9 7 3",
        "acme:enterprise company-2:growth company-3:enterprise company-4:starter",
    ], counted.stderr


def test_landing_page_names_the_company_that_is_not_in_alguna(manage: Manage) -> None:
    """It disappears when the company is created, and isn't shown with Alguna itself."""
    show = (
        "from django.test import Client\n"
        "print('Foxglove Porcelain' in Client(headers={'host': 'localhost'}).get('/').content.decode())"
    )
    create = (
        "from alguna_portal.models import Customer\nCustomer.objects.filter(alias='company-4').update(customer_id='c')"
    )
    assert manage("migrate", "--verbosity", "0").returncode == 0
    assert manage("seed").returncode == 0

    shown = [
        manage("shell", "--no-imports", "-c", show),
        manage("shell", "--no-imports", "-c", show, ALGUNA_PORTAL_API_KEY="key_1.secret"),
        manage("shell", "--no-imports", "-c", f"{create}\n{show}"),
    ]

    assert [each.stdout.strip() for each in shown] == ["True", "False", "False"], shown
