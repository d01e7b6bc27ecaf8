"""Who wants to hear of which events."""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from asgiref.sync import async_to_sync, iscoroutinefunction

from .event import Event

Receiver = TypeVar("Receiver", bound=Callable[[Event], object])


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A receiver, and what it wants to hear of. By its name a delivery remembers that it is done."""

    name: str
    types: tuple[str, ...]
    call: Callable[[Event], object]
    atomic: bool

    def wants(self, kind: str) -> bool:
        """Say whether it wants to hear of events of a type."""
        return any(fnmatchcase(kind, pattern) for pattern in self.types)


_registered: dict[str, Registered] = {}


def on(*types: str, atomic: bool = True) -> Callable[[Receiver], Receiver]:
    """Have a function called with each event of these types: `@on("invoice.paid", "payment.*")`.

    It is called in a transaction, which also remembers that it was: so what it does in the database is done once,
    whatever crashes. If it raises, that is undone, the others are called all the same, and Alguna sends the message
    again, for those that failed. With `atomic=False` there is no transaction: it may be called again after it was
    done, and may take its time.

    Import the module from your AppConfig's `ready`. A function of the same module and name takes the former's place.
    """
    if not types or not all(isinstance(each, str) for each in types):
        raise TypeError('@on takes the types of events: @on("invoice.paid").')

    def register(receiver: Receiver) -> Receiver:
        name = f"{receiver.__module__}.{receiver.__qualname__}"
        call = async_to_sync(receiver) if iscoroutinefunction(receiver) else receiver
        _registered[name] = Registered(name=name, types=types, call=call, atomic=atomic)
        return receiver

    return register


def registered() -> list[Registered]:
    """List all receivers, in the order of their registration."""
    return list(_registered.values())
