"""Fixtures with the generator of the reference pages."""

import importlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.docs.code_blocks import ROOT


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module with which `make reference` writes its pages."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs" / "_ext"), *sys.path])
    return importlib.import_module("alguna_reference.pages")


@pytest.fixture
def generated(generator: Any) -> Callable[[str], str]:
    """A function that returns a part of the reference, generated from the code."""
    return lambda name: str(generator.RENDERERS[name]())
