"""The example project, run as its users run it: through `manage.py`, in a process of its own."""

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
    """Run `manage.py` with a database of its own and with nothing of the developer's environment."""

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


def test_the_settings_need_no_environment(manage: Manage) -> None:
    """A fresh clone passes Django's checks without a single variable set."""
    checked = manage("check", "--fail-level", "WARNING")

    assert checked.returncode == 0, checked.stderr


def test_production_settings_pass_the_deployment_checks(manage: Manage) -> None:
    """Outside DEBUG, with the required variables, `check --deploy` finds nothing to warn of."""
    checked = manage("check", "--deploy", "--fail-level", "WARNING", CACHE_URL="dbcache://cache", **PRODUCTION, **SITE)

    assert checked.returncode == 0, checked.stderr


def test_production_refuses_the_development_secret(manage: Manage) -> None:
    """Outside DEBUG there is no default for SECRET_KEY to fall back on."""
    checked = manage("check", DEBUG="0", **SITE)

    assert checked.returncode != 0
    assert "Set the SECRET_KEY environment variable" in checked.stderr


def test_a_key_turns_the_example_from_the_sandbox_to_alguna(manage: Manage) -> None:
    """ALGUNA_PORTAL_API_KEY alone decides who is asked, and the sandbox follows PORT."""
    show = "from django.conf import settings as s; print(s.ALGUNA_PORTAL_API_URL, s.ALGUNA_PORTAL_API_KEY)"

    sandboxed = manage("shell", "--no-imports", "-c", show, PORT="8123")
    live = manage("shell", "--no-imports", "-c", show, ALGUNA_PORTAL_API_KEY="key_1.secret")

    assert sandboxed.stdout.split() == ["http://localhost:8123/sandbox", "sandbox.secret"]
    assert live.stdout.split() == ["https://api.alguna.io", "key_1.secret"]


def test_an_address_without_a_key_is_refused(manage: Manage) -> None:
    """Half a switch from the sandbox to Alguna would send the sandbox's key there."""
    checked = manage("check", ALGUNA_PORTAL_API_URL="https://api.alguna.io")

    assert checked.returncode != 0
    assert "ALGUNA_PORTAL_API_URL is set without ALGUNA_PORTAL_API_KEY. Set both, or neither." in checked.stderr


def test_nobody_is_seeded_outside_debug(manage: Manage) -> None:
    """An admin with a known password belongs on no public site."""
    seeded = manage("seed", **PRODUCTION, **SITE)

    assert seeded.returncode != 0
    assert "there is nothing to seed outside DEBUG" in seeded.stderr


def test_nothing_of_the_sandbox_is_there_in_production(manage: Manage) -> None:
    """Outside DEBUG neither the sandbox's app nor its addresses exist."""
    show = (
        "from django.apps import apps; from django.urls import resolve, Resolver404\n"
        "print(apps.is_installed('alguna_portal.sandbox'))\n"
        "try: print(resolve('/sandbox/customers'))\n"
        "except Resolver404: print('nowhere')"
    )

    shown = manage("shell", "--no-imports", "-c", show, **PRODUCTION, **SITE)

    assert shown.stdout.split() == ["False", "nowhere"], shown.stderr


def test_seeding_again_changes_nothing_that_people_changed(manage: Manage) -> None:
    """A second `seed` adds nobody twice, and leaves an edited plan, a new alias and a lost role as they are."""
    change = (
        "from alguna_portal.models import Customer, Membership\n"
        "Customer.objects.filter(alias='company-1').update(plan='enterprise', alias='acme')\n"
        "Membership.objects.filter(user__username='gil').delete()"
    )
    count = (
        "from alguna_portal.models import Customer, Membership; from alguna_portal.sandbox.web.store import get_state\n"
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


def test_the_first_page_names_the_company_that_is_not_in_alguna(manage: Manage) -> None:
    """Until it is created there; and never where Alguna itself is asked, of which the demo knows nothing."""
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
