"""Fixtures with the built distributions and with a virtual environment that has only the wheel."""

import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.code_blocks import ROOT, Block, read_section

README_SECTION = "Install it in five minutes"
# pip needs these to find an index. Nothing refers to this environment or to credentials of the user.
KEPT_PREFIXES = ("PATH", "HOME", "LANG", "TMPDIR", "PIP_", "SSL_", "REQUESTS_CA_", "CURL_CA_", "HTTP", "NO_PROXY")
CLEAN_ENV = {name: value for name, value in os.environ.items() if name.startswith((*KEPT_PREFIXES, "http", "no_proxy"))}


def run(
    *command: str, cwd: Path = ROOT, env: Mapping[str, str] = CLEAN_ENV, check: bool = True, timeout: float = 300
) -> "subprocess.CompletedProcess[str]":
    """Run a command. If it fails, the test fails with the command's output, unless `check` is false."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=timeout)
    if check and done.returncode:
        pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


@dataclass(frozen=True, kw_only=True)
class Distributions:
    """The files that a release uploads."""

    wheel: Path
    sdist: Path


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The sdist and the wheel built from it, as for a release."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    return Distributions(wheel=wheel, sdist=sdist)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A virtual environment in which pip installs `alguna_portal` from the wheel, as if from the index."""

    folder: Path
    wheel: Path

    @property
    def python(self) -> str:
        """The interpreter's path."""
        return str(self.folder / "bin" / "python")

    @property
    def env(self) -> dict[str, str]:
        """The variables of a shell in which the environment is activated."""
        constraints = self.folder / "constraints.txt"
        constraints.write_text(f"alguna_portal @ {self.wheel.as_uri()}\n")
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        pip = {"PIP_QUIET": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_CONSTRAINT": str(constraints)}
        return {**CLEAN_ENV, **pip, "PATH": path, "VIRTUAL_ENV": str(self.folder)}

    def run_shell(self, text: str, *, cwd: Path, **env: str) -> str:
        """Run shell commands; return their output."""
        return run("sh", "-euc", text, cwd=cwd, env=self.env | env).stdout


def read_install_section() -> list[Block]:
    """Return the README's code blocks about the installation."""
    blocks = read_section(ROOT / "README.md", README_SECTION)
    assert blocks, f"README.md has no “{README_SECTION}”."
    return blocks


@pytest.fixture(scope="session")
def installed(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment in which the README's shell commands were run."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    environment = Environment(folder=folder, wheel=distributions.wheel)
    for block in read_install_section():
        if block.language == "sh":
            environment.run_shell(block.text, cwd=tmp_path_factory.mktemp("shell"))
    return environment
