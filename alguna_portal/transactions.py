"""Views that commit what they do as they go."""

from typing import TypeVar

from django.db import connections, transaction

View = TypeVar("View")


def committing(view: View) -> View:
    """Keep a view out of ATOMIC_REQUESTS, on whichever database: no row stays locked while Alguna is asked.

    Mark the very one that Django's resolver finds.
    """
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)  # type: ignore[type-var]
    return view
