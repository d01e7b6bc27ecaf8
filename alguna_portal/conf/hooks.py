"""The host's hooks: how a click calls them, and what is wrong with one that cannot be called so.

Looked at in the system checks alone. A click calls a hook, and spends no time on looking.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asgiref.sync import iscoroutinefunction


@dataclass(frozen=True, kw_only=True)
class Call:
    """How a hook is called: with these arguments by position, then with these keywords."""

    positional: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    shown: str
    remedy: str


CALLS = {
    "CUSTOMER_RESOLVER": Call(
        positional=("request",),
        shown="(request)",
        remedy="Write it as “def customer_of(request):”.",
    ),
    "ACCESS_POLICY": Call(
        keywords=("request", "user", "customer", "role"),
        shown="(request=…, user=…, customer=…, role=…)",
        remedy="Write it as “def may_open(*, request, user, customer, role):”; “**_” takes those it does not use.",
    ),
}


def fault(hook: Callable[..., Any], call: Call) -> str | None:
    """Say what is wrong with a hook, and the remedy; None where nothing can be seen to be."""
    if inspect.isclass(hook):
        return "is a class, and calling it only makes an instance. Name a function, or an instance that has __call__."
    if _is(iscoroutinefunction, hook) or _is(inspect.isasyncgenfunction, hook):
        return "is async, and is called without await. Write it with “def”, or wrap it in asgiref's async_to_sync."
    if _is(inspect.isgeneratorfunction, hook):
        return "has a “yield”, so it answers with a generator. Return the answer instead."
    try:
        # Not what a decorator wraps: the wrapper is called, and may well add arguments of its own.
        signature = inspect.signature(hook, follow_wrapped=False)
    except (TypeError, ValueError):
        return None  # written in C: only a call can tell
    try:
        signature.bind(*call.positional, **dict.fromkeys(call.keywords))
    except TypeError as exc:
        return f"cannot be called with {call.shown}: {exc}. {call.remedy}"
    return None


def _is(kind: Callable[[Any], bool], hook: Callable[..., Any]) -> bool:
    """Say whether a function, or an instance's `__call__`, is of a kind."""
    return kind(hook) or kind(type(hook).__call__)
