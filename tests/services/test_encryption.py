"""Encryption of the session cache in a real Redis."""

import json
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from binascii import Error
from collections.abc import Iterator

import pytest
from redis import Redis

from alguna_portal.testing import CreatedSession
from tests.services.conftest import Alguna, Shared, Site, run_python

pytestmark = pytest.mark.services

CLICK = """
import json
from alguna_portal.models import Customer
from alguna_portal.sessions import open_session
from alguna_portal.testing import fake_alguna
with fake_alguna() as alguna:
    assert open_session(Customer(alias="acme-1")) == open_session(Customer(alias="acme-1"))
    (made,) = alguna.sessions
    print(json.dumps(vars(made)))
"""


def get_content(redis: Shared) -> dict[bytes, bytes]:
    """Return all keys and values of a Redis."""
    with Redis.from_url(redis.cache["LOCATION"]) as client:
        return {key: client.get(key) or b"" for key in client.scan_iter()}


def get_readings(kept: bytes) -> Iterator[bytes]:
    """Yield bytes as they are, and everything in them that may be base64."""
    yield kept
    for text in re.findall(rb"[\w+/-]{16,}", kept):
        for start in range(4):
            part = text[start : start + (len(text) - start) // 4 * 4].translate(bytes.maketrans(b"-_", b"+/"))
            try:
                yield b64decode(part, validate=True)
            except Error:
                continue


def find_in(session: CreatedSession, kept: bytes) -> set[str]:
    """Return the parts of a session that can be read."""
    parts = {
        "url": session.url,
        "token": session.url.rpartition("/")[2],
        "id": session.id,
        "customer_id": session.customer_id,
    }
    return {name for name, part in parts.items() if any(part.encode() in reading for reading in get_readings(kept))}


def click(redis: Shared, *, encrypt: bool) -> tuple[CreatedSession, dict[bytes, bytes]]:
    """Open a portal twice in another process; return the session and the content of Redis."""
    said = run_python(redis, CLICK, settings={"ALGUNA_PORTAL_ENCRYPT_CACHE": encrypt})
    kept = get_content(redis)
    kinds = {key.split(b":")[3] for key in kept}
    assert kinds >= {b"session", b"outcome", b"generation"}
    return CreatedSession(**json.loads(said)), kept


def test_redis_contains_no_part_of_a_session(redis: Shared) -> None:
    session, kept = click(redis, encrypt=True)
    for key, value in kept.items():
        assert not find_in(session, key)
        assert not find_in(session, value)


def test_without_encryption_the_same_search_finds_all_parts(redis: Shared) -> None:
    session, kept = click(redis, encrypt=False)
    everything = {"url", "token", "id", "customer_id"}
    finds = {key.split(b":")[3]: find_in(session, value) for key, value in kept.items()}
    assert finds.pop(b"session") == everything
    assert finds.pop(b"outcome") == everything
    assert set().union(*finds.values(), *(find_in(session, key) for key in kept)) == set()
    for encode in (b64encode, urlsafe_b64encode):
        for before in (b"", b"x", b"xx"):
            for value in (value for key, value in kept.items() if b":session:" in key):
                assert find_in(session, b'{"session": "%b"}' % encode(before + value)) == everything


def test_processes_share_an_encrypted_session(redis: Shared, alguna: Alguna) -> None:
    site = Site(shared=redis, alguna=alguna, settings={"ALGUNA_PORTAL_ENCRYPT_CACHE": True})
    site.start(2, threads=4, rounds=2, every=0.7)
    said = site.said()
    assert len(said) == 2 * 2 * 4
    assert {outcome for _, outcome in said} == {f"https://portal.alguna.io/hs/{number}" for number in (1, 2)}
    assert len(alguna.calls) == 2
    sealed = [value for key, value in get_content(redis).items() if b":session:" in key]
    assert len(sealed) == 2
    assert all(b"sealed" in value for value in sealed)
