"""Transactions that are not ours: kept out of, and kept whole."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from django.db import connections, transaction

View = TypeVar("View")


def non_atomic(view: View) -> View:
    """Keep a view out of ATOMIC_REQUESTS, on whichever database: no row stays locked while Alguna is asked.

    Mark the very one that Django's resolver finds.
    """
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)  # type: ignore[type-var]
    return view


def savepoint(using: str) -> AbstractContextManager[Any]:
    """Keep a failure in the block from spoiling the transaction that the host may have begun; else do nothing."""
    return transaction.atomic(using=using) if connections[using].in_atomic_block else nullcontext()
