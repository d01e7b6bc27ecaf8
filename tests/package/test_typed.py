"""The types of the installed wheel, as a host's own mypy sees them."""

import sys
from pathlib import Path

import pytest

from tests.package.conftest import Environment, run
from tests.package.test_five_minutes import installed  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("package")]

HOST = """
from alguna_portal.models import Customer
from alguna_portal.sessions import PortalSession, open_session


def address(customer: Customer) -> str:
    session: PortalSession = open_session(customer, role="manager")
    return session.url
"""
WRONG = {
    "a wrong type": ("return session.url", "return session.expires_at", "Incompatible return value type"),
    "a name that is not there": ("session.url", "session.uri", 'has no attribute "uri"'),
    "a role by position": ('role="manager"', '"manager"', "Too many positional arguments"),
}


def mypy(file: Path, environment: Environment) -> str:
    """Run mypy strictly, and without anybody's configuration; return what it says."""
    python = str(environment.folder / "bin" / "python")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--python-executable={python}", file.name]
    return run(*command, cwd=file.parent, check=False).stdout


def test_a_host_is_checked_against_the_wheel(installed: Environment, tmp_path: Path) -> None:  # noqa: F811
    """What is right passes."""
    file = tmp_path / "host.py"
    file.write_text(HOST)
    assert mypy(file, installed).startswith("Success")


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_of_a_host_is_found(installed: Environment, tmp_path: Path, what: str) -> None:  # noqa: F811
    """Without `py.typed`, everything would be `Any`, and nothing wrong."""
    right, wrong, said = WRONG[what]
    file = tmp_path / "host.py"
    file.write_text(HOST.replace(right, wrong))
    assert said in mypy(file, installed)
