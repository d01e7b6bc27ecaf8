"""The client of the Alguna API.

Django loads this package at start-up, but nothing here may import `requests`, which takes longer to load than the
rest of the app. Therefore `get_client` imports the client on first use.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client import AlgunaClient


def get_client() -> "AlgunaClient":
    """Return a client for the account in the settings, behind the circuit breaker.

    Raise `ImproperlyConfigured` if a setting is missing or invalid.
    """
    from .circuit_breaker import CircuitBreaker
    from .client import AlgunaClient

    return AlgunaClient.from_settings(circuit_breaker=CircuitBreaker())
