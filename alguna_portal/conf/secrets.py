"""Kinds of settings that are secrets: read, and never shown, not in Django's error reports either."""

import binascii
from base64 import b64decode

from django.views.decorators.debug import sensitive_variables

from .types import visible_ascii, wrong


@sensitive_variables()
def secret(name: str, raw: object) -> str:
    """Read a secret that goes into an HTTP header: visible ASCII only."""
    if not isinstance(raw, str) or not visible_ascii(raw):
        raise wrong(name, "must be a secret of visible ASCII characters, without spaces or line breaks.")
    return raw


@sensitive_variables()
def signing_secrets(name: str, raw: object) -> list[str]:
    """Read a list of secrets as Svix and Standard Webhooks write them: `whsec_` and base64."""
    if not isinstance(raw, list | tuple):
        raise wrong(name, "must be a list of secrets, even if there is only one.")
    return [_signing_secret(name, each) for each in raw]


@sensitive_variables()
def _signing_secret(name: str, raw: object) -> str:
    text = secret(name, raw)
    encoded = text.removeprefix("whsec_")
    try:
        key = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise wrong(name, "has a secret that is none. Copy the endpoint's signing secret whole: whsec_ and base64.")
    return text
