"""A fake Alguna for your tests: no network, no API key, no sandbox in INSTALLED_APPS.

    from alguna_portal.testing import fake_alguna

    with fake_alguna() as alguna:
        response = client.get("/billing/")
        assert response.url == alguna.sessions[-1].url

With pytest, use the fixture `alguna`. With unittest, use `self.enterContext(fake_alguna())`.

The fake is the sandbox's engine with its state in memory, so it validates requests, rejects them and stores data like
Alguna does. Each fake is a separate account: what an earlier test cached isn't used again.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .fake import CreatedSession, FakeAlguna, ReceivedRequest, WebhookMessage, fake_alguna

__all__ = ["CreatedSession", "FakeAlguna", "ReceivedRequest", "WebhookMessage", "fake_alguna"]


def __getattr__(name: str) -> Any:
    """Load the fake on first use: pytest imports this package, for its plugin, before Django is set up."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import fake

    return getattr(fake, name)
