"""Encryption of cached sessions: on or off, and whether it should be."""

from urllib.parse import urlsplit

from django.conf import settings

from alguna_portal.conf import conf
from alguna_portal.conf.addresses import is_loopback
from alguna_portal.sessions.cache import decrypt, encrypt

from .context import Visit
from .report import Findings, error, note, ok


def look(_visit: Visit) -> Findings:
    """Try the keys where it is on; where it is off, say so if sessions travel to another machine."""
    name = "encryption.on"
    if conf.ENCRYPT_CACHE:
        if decrypt(encrypt({"a": "b"})) == {"a": "b"}:
            yield ok(name, "Cached sessions are encrypted.")
        else:
            yield error(
                name, "What is encrypted cannot be read again.", "Check SECRET_KEY, and the cryptography library."
            )
    elif _is_remote():
        remedy = 'Set ALGUNA_PORTAL_ENCRYPT_CACHE = True, with pip install "alguna_portal[encryption]".'
        yield note(name, "Cached sessions, which are credentials, are in plain on another machine.", remedy)
    else:
        yield ok(name, "Off. The cache is on this machine, or in the database.")


def _is_remote() -> bool:
    """Say whether the cache is on another machine, as far as its location tells."""
    location = settings.CACHES[conf.CACHE].get("LOCATION", "")
    places = location if isinstance(location, list | tuple) else str(location).replace(";", ",").split(",")
    return any(_leads_away(str(place).strip()) for place in places)


def _leads_away(place: str) -> bool:
    if place.startswith(("/", "unix:")):
        return False
    try:
        # Memcached's are without a scheme.
        host = urlsplit(place if "://" in place else f"//{place}").hostname or ""
    except ValueError:
        return False
    has_port = "://" in place or ":" in place
    return bool(host) and has_port and not is_loopback(host)
