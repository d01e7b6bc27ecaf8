"""Helper that runs the bulk commands in the tests' own process."""

from io import StringIO
from typing import Any

from django.core.management import CommandError, call_command


def run(name: str, *args: str, **options: Any) -> tuple[str, int]:
    """Run a command with a high rate limit; return its output, then its error if it fails, and its exit status."""
    output, errors = StringIO(), StringIO()
    options = {"stdout": output, "stderr": errors, "skip_checks": True} | options
    try:
        call_command(name, "--rate", "2000", *args, **options)
    except CommandError as exc:
        return f"{output.getvalue()}{exc}", exc.returncode
    return output.getvalue(), 0
