"""Subprocesses of the documentation tests, without the settings of the tests' own process."""

import os
import subprocess
import sys
from pathlib import Path

CLEAN_ENV = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PYTEST_", "COV_"))}


def run_module(
    *arguments: str, cwd: Path, timeout: float = 120, stdin: str | None = None, warnings: str = "error"
) -> subprocess.CompletedProcess[str]:
    """Run a Python module in a folder. `warnings` is the value for `-W`."""
    command = [sys.executable, "-W", warnings, "-m", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=CLEAN_ENV, input=stdin, capture_output=True, text=True, check=False, timeout=timeout
    )
