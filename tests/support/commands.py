"""Helper that runs the bulk commands in the tests' own process."""

from collections.abc import Mapping
from io import StringIO
from types import ModuleType
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from alguna_portal.models import Customer


def run_command(name: str, *args: str, **options: Any) -> tuple[str, int]:
    """Run a command with a high rate limit; return its output, then its error if it fails, and its exit status."""
    output, errors = StringIO(), StringIO()
    options = {"stdout": output, "stderr": errors, "skip_checks": True} | options
    try:
        call_command(name, "--rate", "2000", *args, **options)
    except CommandError as exc:
        return f"{output.getvalue()}{exc}", exc.returncode
    return output.getvalue(), 0


def raise_for(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, errors: Mapping[Any, Exception]) -> None:
    """Let a function that takes a customer first raise exceptions, by the customer's primary key."""
    original = getattr(module, name)

    def raise_or_call(customer: Customer, *args: Any, **kwargs: Any) -> Any:
        if error := errors.get(customer.pk):
            raise error
        return original(customer, *args, **kwargs)

    monkeypatch.setattr(module, name, raise_or_call)
