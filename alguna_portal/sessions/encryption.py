"""Sealing: data as a text that only those can read who know the site's `SECRET_KEY`.

The keys come from `SECRET_KEY`, which seals, and from `SECRET_KEY_FALLBACKS`, which only read what was sealed before
a rotation. A seal keeps data from whoever reads a cache, its dumps or its traffic. It shows when it was made and
how long the data is, and does not say where it belongs: against those who can write to the cache it is no help.

`cryptography`, which the extra `encryption` installs, is imported on first use: most sites go without.
"""

import json
from base64 import urlsafe_b64encode
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.encoding import force_bytes
from django.views.decorators.debug import sensitive_variables

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

# What the keys are for. The same secret gives other keys to all else that Django and this app derive from it.
PURPOSE = b"alguna_portal.encryption"


@sensitive_variables("data")
def seal(data: dict[str, str]) -> str:
    """Encrypt data under the `SECRET_KEY` of now; raise `ImproperlyConfigured` where it is empty."""
    return _cipher(_secrets()).encrypt(json.dumps(data).encode()).decode()


def unseal(token: object) -> Any:
    """Return what was sealed, or None for anything that none of the secrets of now has sealed."""
    from cryptography.fernet import InvalidToken

    cipher = _cipher(_secrets())
    # Its age is not asked: what is kept here knows its own end, and clocks may be apart.
    try:
        return json.loads(cipher.decrypt(token)) if isinstance(token, str) else None
    except (InvalidToken, ValueError):
        return None


def _secrets() -> tuple[bytes, ...]:
    # Django refuses an empty secret, and lets an empty fallback pass, whose key anybody could make.
    return tuple(force_bytes(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS) if secret)


# By the secrets themselves, so a changed setting counts at once; only the last ones, so replaced ones are let go.
@lru_cache(maxsize=1)
@sensitive_variables()
def _cipher(secrets: tuple[bytes, ...]) -> "MultiFernet":
    from cryptography.fernet import Fernet, MultiFernet
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    # HKDF, and not Django's `salted_hmac`, which signs: HKDF is made for this, a key out of a secret that is hard to
    # guess but not uniform, with a field for the purpose. Stretching, as for passwords, would help no good secret.
    keys = [HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(secret) for secret in secrets]
    return MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])
