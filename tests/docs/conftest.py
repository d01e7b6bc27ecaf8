"""The reference's parts that are made from the code, as `make reference` makes them."""

import importlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.docs.code_blocks import ROOT


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What `make reference` runs."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs" / "_ext"), *sys.path])
    return importlib.import_module("alguna_reference.pages")


@pytest.fixture
def generated(generator: Any) -> Callable[[str], str]:
    """Write a part of the reference as the code has it."""

    def write(name: str) -> str:
        text: str = generator.MADE[name]()
        return text

    return write
