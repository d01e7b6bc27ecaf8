"""The pytest plugin with the fixture `alguna`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from . import FakeAlguna


@pytest.fixture
def alguna(settings: Any) -> "Iterator[FakeAlguna]":
    """Replace Alguna by a fake; see `alguna_portal.testing`."""
    # A local import, because pytest loads plugins before Django is set up.
    from . import FakeAlguna

    fake = FakeAlguna()
    # With pytest-django's fixture, settings that a test changes too are restored in the right order.
    for name, value in fake.settings.items():
        setattr(settings, name, value)
    with fake.under_requests():
        yield fake
