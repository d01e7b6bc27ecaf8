"""The distributions, built as for a release, and an environment with nothing but the wheel in it."""

import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What pip needs to find an index, and nothing that leads back to this environment or to somebody's account.
KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "PIP_",
    "SSL_",
    "REQUESTS_CA_",
    "CURL_CA_",
    "HTTP",
    "NO_PROXY",
    "http",
    "no_proxy",
)
CLEAN = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}


def run(
    *command: str, cwd: Path = ROOT, env: Mapping[str, str] = CLEAN, check: bool = True, timeout: float = 300
) -> "subprocess.CompletedProcess[str]":
    """Run a command; a failure is a failure of the test, with all that was said."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=timeout)
    if check and done.returncode:
        pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


@dataclass(frozen=True, kw_only=True)
class Distributions:
    """What is uploaded."""

    wheel: Path
    sdist: Path


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The sdist, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    return Distributions(wheel=wheel, sdist=sdist)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A virtual environment of its own."""

    folder: Path
    wheel: Path

    @property
    def env(self) -> dict[str, str]:
        """What a shell has in which it was activated. To pip, the wheel is what the index would have."""
        constraints = self.folder / "constraints.txt"
        constraints.write_text(f"alguna_portal @ {self.wheel.as_uri()}\n")
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        quiet = {"PIP_QUIET": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        return {**CLEAN, **quiet, "PATH": path, "VIRTUAL_ENV": str(self.folder), "PIP_CONSTRAINT": str(constraints)}

    def shell(self, text: str, *, cwd: Path, **env: str) -> str:
        """Run what a page says to type; return what it prints."""
        return run("sh", "-euc", text, cwd=cwd, env=self.env | env).stdout


@pytest.fixture(scope="session")
def clean(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with nothing in it but pip."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True)
    return Environment(folder=folder, wheel=distributions.wheel)
