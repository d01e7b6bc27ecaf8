"""`check --deploy` of the example project, set up as `.env.example` documents."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = (ROOT / ".env.example").read_text()

SECRETS = {
    "SECRET_KEY": "a-secret-of-more-than-fifty-characters-0123456789-abcdefgh",
    "ALGUNA_PORTAL_API_KEY": "key_1.s",
}
# The required variables, and a cache that processes can share.
REQUIRED = {"DEBUG": "0", "ALLOWED_HOSTS": "kilnkeeper.example.com", "CACHE_URL": "dbcache://portal_cache", **SECRETS}

# Runs `manage.py` without network access.
WITHOUT_NETWORK = """
import runpy, socket, sys

def refuse(*_, **__):
    raise AssertionError("asked for the network")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
sys.argv[0] = "manage.py"
runpy.run_path("manage.py", run_name="__main__")
"""


def run_check(tmp_path: Path, variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run `manage.py check --deploy` with variables in `.env` and with Python's warnings as errors."""
    env_file = tmp_path / ".env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    command = [sys.executable, "-W", "error", "-c", WITHOUT_NETWORK, "check", "--deploy", "--fail-level", "WARNING"]
    env = {"PATH": os.environ["PATH"], "ENV_FILE": str(env_file), "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


def get_documented_variables() -> dict[str, str]:
    """Return the variables in `.env.example` with their suggested values."""
    return dict(re.findall(r"^#([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))


def test_check_passes_with_all_documented_variables(tmp_path: Path) -> None:
    """DEBUG is off, and the site is behind a proxy."""
    process = run_check(tmp_path, get_documented_variables() | {"DEBUG": "0", "BEHIND_PROXY": "1"} | SECRETS)

    assert process.returncode == 0, process.stderr
    assert "no issues" in process.stdout


def test_check_passes_with_the_required_variables(tmp_path: Path) -> None:
    process = run_check(tmp_path, REQUIRED)

    assert process.returncode == 0, process.stderr
    assert "no issues" in process.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ALLOWED_HOSTS", "Set the ALLOWED_HOSTS environment variable"),
        ("SECRET_KEY", "Set the SECRET_KEY environment variable"),
        ("ALGUNA_PORTAL_API_KEY", "ALGUNA_PORTAL_API_KEY is not set"),
        ("CACHE_URL", "LocMemCache, which processes cannot share"),
    ],
)
def test_check_names_a_missing_required_variable(tmp_path: Path, name: str, message: str) -> None:
    process = run_check(tmp_path, {each: value for each, value in REQUIRED.items() if each != name})

    assert process.returncode != 0
    assert message in process.stderr


def test_exactly_the_variables_in_the_settings_are_documented() -> None:
    settings = (ROOT / "example_project" / "settings.py").read_text()
    read = set(re.findall(r'env(?:\.\w+)?\(\s*"([A-Z_]+)"', settings)) - {"ENV_FILE"}

    assert set(get_documented_variables()) == read
