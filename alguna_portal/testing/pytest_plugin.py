"""The pytest plugin: the fixture `alguna`, for whoever has the package installed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from . import FakeAlguna


@pytest.fixture
def alguna(settings: Any) -> "Iterator[FakeAlguna]":
    """Put a fake Alguna under `requests`; see `alguna_portal.testing`.

    Its settings go through pytest-django's `settings`: undone in any other order, a test's own would leave the
    fake's behind.
    """
    # Not above: pytest loads plugins before Django is set up.
    from . import FakeAlguna

    fake = FakeAlguna()
    for name, value in fake.settings.items():
        setattr(settings, name, value)
    with fake.under_requests():
        yield fake
