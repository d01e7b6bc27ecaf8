"""Database transactions: savepoints, views outside `ATOMIC_REQUESTS`, and tasks that are enqueued on commit."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from django.db import connections, transaction

View = TypeVar("View")


def non_atomic(view: View) -> View:
    """Exempt a view from `ATOMIC_REQUESTS` on every database, so that no row stays locked during calls to Alguna.

    Apply it to the callable that Django's URL resolver finds.
    """
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)  # type: ignore[type-var]
    return view


def savepoint(using: str) -> AbstractContextManager[Any]:
    """Return a savepoint if the host has begun a transaction, so that an error in the block can't break it."""
    return transaction.atomic(using=using) if connections[using].in_atomic_block else nullcontext()


def enqueue(
    task: Any,
    *args: Any,
    using: str | None,
    on_failure: Callable[[Exception], None],
    failed: Exception | None = None,
) -> None:
    """Enqueue a background task when the transaction on `using` commits; without a transaction, at once.

    Before the commit, a worker wouldn't find the rows that the arguments refer to. If the queue raises an exception,
    `on_failure` is called with it. The immediate backend runs the task while it's enqueued: if the task fails there,
    `on_failure` is called with `failed`, if that is given.
    """

    def run() -> None:
        try:
            result = task.enqueue(*args)
        except Exception as exc:  # noqa: BLE001  (queue backends raise exceptions of any class)
            on_failure(exc)
        else:
            if failed and result.status == "FAILED":
                on_failure(failed)

    transaction.on_commit(run, using=using)
