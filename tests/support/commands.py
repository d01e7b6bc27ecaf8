"""Commands that go through customers, run in the tests' own process."""

from io import StringIO
from typing import Any

from django.core.management import CommandError, call_command


def run(name: str, *args: str, **options: Any) -> tuple[str, int]:
    """Run a command very fast; return what it said, last why it failed, and the exit status."""
    said, error = StringIO(), StringIO()
    options = {"stdout": said, "stderr": error, "skip_checks": True} | options
    try:
        call_command(name, "--rate", "2000", *args, **options)
    except CommandError as exc:
        return f"{said.getvalue()}{exc}", exc.returncode
    return said.getvalue(), 0
