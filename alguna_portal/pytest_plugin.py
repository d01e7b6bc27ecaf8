"""The pytest plugin: the fixture `alguna`, for whoever has the package installed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing import FakeAlguna


@pytest.fixture
def alguna() -> "Iterator[FakeAlguna]":
    """Put a fake Alguna under `requests`; see `alguna_portal.testing`."""
    # Not above: pytest loads plugins before Django is set up.
    from .testing import fake_alguna

    with fake_alguna() as fake:
        yield fake
