"""Rows read some at a time, while those that are done leave the result or come to stand elsewhere in it."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)


def read(found: QuerySet[Row], *, after: Callable[[Row], Q], size: int) -> Iterator[Row]:
    """Read rows in their order as they are needed; `after` says what comes after a row, as it was read."""
    rows = list(found[:size])
    while rows:
        # Before they are handed out: whoever gets them may change them.
        rest = after(rows[-1])
        yield from rows
        rows = list(found.filter(rest)[:size])
