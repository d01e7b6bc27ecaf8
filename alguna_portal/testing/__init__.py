"""A fake Alguna for your own tests: no sockets, no key, no sandbox in INSTALLED_APPS.

    from alguna_portal.testing import fake_alguna

    with fake_alguna() as alguna:
        response = client.get("/billing/")
        assert response.url == alguna.sessions[-1].url

With pytest, the fixture `alguna` is there by itself. With unittest, `self.enterContext(fake_alguna())`.

The fake is the engine of the sandbox under `requests`, its state in dicts: it checks requests, refuses and
remembers as Alguna does. Each fake is an account of its own, so nothing that an earlier test cached is met again.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .fake import AskedRequest, FakeAlguna, MadeSession, ToldMessage, fake_alguna

__all__ = ["AskedRequest", "FakeAlguna", "MadeSession", "ToldMessage", "fake_alguna"]


def __getattr__(name: str) -> Any:
    """Load the fake on first use: pytest imports this package, with the plugin in it, before Django is set up."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import fake

    return getattr(fake, name)
