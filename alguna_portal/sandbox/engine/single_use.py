"""Single use: whether a portal link that was opened opens once more, and for whom. Alguna does not say.

    off         as often as anybody likes, until it expires
    browser     only in the browser that opened it first
    anywhere    never again, not even in that browser

A browser is known by a secret in a cookie; the state keeps a digest of it. Only landing opens: the address that
the API gave out. The pages below it have to work after that, so under either reading they are open to the browser
that landed, and before anybody did to whoever has the address. Under `anywhere`, landing leads on to one of them.
"""

import hashlib
from datetime import datetime

from . import sessions, weather
from .portal import Portal, PortalRefused, open_portal
from .types import State


class LinkSpent(PortalRefused):
    """The link was opened before."""

    status = 410
    title = "This link has been used"
    text = "Each billing link opens once. Go back to where you came from and open a new one."


def single_use(state: State, default: str) -> str:
    """Return the reading that holds: the weather's, else the default."""
    return weather.current(state).single_use or default


def enter(state: State, token: str, *, browser: str, single_use: str, now: datetime) -> Portal:
    """Return the portal for a page below the landing; raise PortalRefused."""
    portal = open_portal(state, token, now=now)
    opened_by = sessions.opened_by(state, token)
    if single_use != "off" and opened_by not in (None, _digest(browser)):
        raise LinkSpent
    return portal


def land(state: State, token: str, *, browser: str, single_use: str, now: datetime) -> Portal:
    """Return the portal for its landing page, opened for this browser from now on; raise PortalRefused."""
    portal = enter(state, token, browser=browser, single_use=single_use, now=now)
    if single_use == "anywhere" and sessions.opened_by(state, token) is not None:
        raise LinkSpent
    sessions.set_opened_by(state, token, _digest(browser))
    return portal


def _digest(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()
