"""The installed wheel has type annotations that a host's own mypy checks."""

import sys
from pathlib import Path

import pytest

from tests.package.conftest import Environment, run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("package")]

HOST = """
from alguna_portal.models import Customer
from alguna_portal.sessions import PortalSession, open_session


def address(customer: Customer) -> str:
    session: PortalSession = open_session(customer, role="manager")
    return session.url
"""


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("", "", "Success"),
        # Without `py.typed`, every name would have the type `Any` and mypy would report nothing.
        ("return session.url", "return session.expires_at", "Incompatible return value type"),
        ("session.url", "session.uri", 'has no attribute "uri"'),
        ('role="manager"', '"manager"', "Too many positional arguments"),
    ],
    ids=["correct", "wrong type", "unknown name", "positional role"],
)
def test_mypy_checks_a_host(installed: Environment, tmp_path: Path, right: str, wrong: str, message: str) -> None:
    """mypy runs in strict mode without any configuration file."""
    file = tmp_path / "host.py"
    file.write_text(HOST.replace(right, wrong) if right else HOST)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--python-executable={installed.python}"]
    output = run(*command, file.name, cwd=tmp_path, check=False).stdout
    assert message in output
    assert output.startswith("Success") == (not right)
