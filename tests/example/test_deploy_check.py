"""The example as it is deployed: set up by what `.env.example` names, it gives `check --deploy` nothing to warn of."""

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
# What a site must set, and a cache that its processes share.
FEWEST = {"DEBUG": "0", "ALLOWED_HOSTS": "kilnkeeper.example.com", "CACHE_URL": "dbcache://portal_cache", **SECRETS}

# `manage.py`, on a machine without a network.
ALONE = """
import runpy, socket, sys

def refuse(*_, **__):
    raise AssertionError("asked for the network")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
sys.argv[0] = "manage.py"
runpy.run_path("manage.py", run_name="__main__")
"""


def checked(tmp_path: Path, variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run `manage.py check --deploy` with these variables in its `.env`, and with warnings of Python's as errors."""
    env_file = tmp_path / ".env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    command = [sys.executable, "-W", "error", "-c", ALONE, "check", "--deploy", "--fail-level", "WARNING"]
    env = {"PATH": os.environ["PATH"], "ENV_FILE": str(env_file), "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


def named() -> dict[str, str]:
    """Return what `.env.example` suggests, variable by variable."""
    return dict(re.findall(r"^#([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))


def test_all_that_the_env_file_names_can_be_set(tmp_path: Path) -> None:
    """With every line of it in force, outside DEBUG and behind a proxy, the deployment checks find nothing."""
    ran = checked(tmp_path, named() | {"DEBUG": "0", "BEHIND_PROXY": "1"} | SECRETS)

    assert ran.returncode == 0, ran.stderr
    assert "no issues" in ran.stdout


def test_the_fewest_variables_are_enough(tmp_path: Path) -> None:
    """What `.env.example` calls required outside DEBUG is all that is."""
    ran = checked(tmp_path, FEWEST)

    assert ran.returncode == 0, ran.stderr
    assert "no issues" in ran.stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ALLOWED_HOSTS", "Set the ALLOWED_HOSTS environment variable"),
        ("SECRET_KEY", "Set the SECRET_KEY environment variable"),
        ("ALGUNA_PORTAL_API_KEY", "ALGUNA_PORTAL_API_KEY is not set"),
        ("CACHE_URL", "LocMemCache, which processes cannot share"),
    ],
)
def test_what_is_required_is_missed(tmp_path: Path, name: str, said: str) -> None:
    """The checks fail without any one of them, and say what is missing."""
    ran = checked(tmp_path, {each: value for each, value in FEWEST.items() if each != name})

    assert ran.returncode != 0
    assert said in ran.stderr


def test_every_variable_that_the_settings_read_is_named() -> None:
    """And none that they do not read."""
    settings = (ROOT / "example_project" / "settings.py").read_text()
    read = set(re.findall(r'env(?:\.\w+)?\(\s*"([A-Z_]+)"', settings)) - {"ENV_FILE"}

    assert set(named()) == read
