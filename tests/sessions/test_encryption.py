"""Encryption of the session cache, with key rotation and without the `cryptography` package."""

import json
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from threading import Event
from time import sleep
from typing import Any, NoReturn
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.contrib.auth.models import User
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.views.debug import ExceptionReporter
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from alguna_portal.models import Customer
from alguna_portal.sessions import PortalSession, forget, open_session
from alguna_portal.sessions.cache import decrypt, deserialize_session, encrypt, serialize_session
from tests.conftest import FakeApi
from tests.support.sessions import share_session

SESSION = PortalSession(
    id="sess_1",
    customer_id="cust_abc123",
    url="https://portal.alguna.io/hs/token1",
    created_at=datetime(2026, 11, 21, 12, tzinfo=UTC),
    expires_at=datetime(2026, 11, 21, 13, tzinfo=UTC),
)
ANN = User(pk=1, username="ann")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["sealed", *serialize_session(SESSION)]), inner)
    ),
    max_leaves=8,
)


class EmptyButTrue(str):
    """An empty secret that Django accepts."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _encrypted(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_ENCRYPT_CACHE = True
    # The audit trail has its own tests.
    settings.ALGUNA_PORTAL_AUDIT = False


@pytest.fixture
def own_cache(settings: Settings) -> None:
    """A separate cache, because the app stops using a cache after a failure."""
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": uuid4().hex}}


@pytest.fixture
def customer() -> Customer:
    """A customer without a row."""
    return Customer(alias="acme-1", plan="starter")


def get_credential_keys() -> Iterator[str]:
    """Yield the keys of cache entries and of single-flight outcomes."""
    keys = [key.removeprefix(":1:") for key in caches["default"]._cache]  # type: ignore[attr-defined]
    return (key for key in keys if ":lock" not in key and (":session:" in key or ":outcome:" in key))


def test_an_entry_is_opaque_and_can_be_decrypted() -> None:
    entry = serialize_session(SESSION)
    assert list(entry) == ["sealed"]
    assert not [value for value in vars(SESSION).values() if str(value) in str(entry)]
    assert serialize_session(SESSION) != entry
    assert deserialize_session(json.loads(json.dumps(entry))) == SESSION


def test_an_encrypted_session_is_reused(alguna: FakeApi, customer: Customer) -> None:
    first = open_session(customer, user=ANN)
    assert open_session(customer, user=ANN) == first
    assert len(alguna.requests) == 1


def test_followers_read_the_leaders_encrypted_session(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, waiting = Event(), Event()

    def wait(seconds: float) -> None:
        waiting.set()
        sleep(seconds)

    monkeypatch.setattr("alguna_portal.sessions.single_flight.sleep", wait)

    def lead(_: float) -> PortalSession:
        asked.set()
        assert waiting.wait(10)
        return SESSION

    def never(_: float) -> NoReturn:
        raise AssertionError("A follower called the API.")

    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(share_session, "lock", lead, budget=30)
        assert asked.wait(10)
        follower = pool.submit(share_session, "lock", never, budget=30)
        assert follower.result() == leader.result() == SESSION
    outcomes = [caches["default"].get(key) for key in get_credential_keys()]
    assert [list(outcome["value"]) for outcome in outcomes] == [["sealed"]]


@pytest.mark.parametrize("fallbacks", [["old"], ["older", "old"], [b"old"], ["", "old"]])
def test_entries_are_readable_while_their_secret_is_a_fallback(
    settings: Settings, fallbacks: list[str | bytes]
) -> None:
    settings.SECRET_KEY = "old"
    before = serialize_session(SESSION)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", fallbacks
    assert deserialize_session(before) == SESSION
    after = serialize_session(SESSION)
    settings.SECRET_KEY_FALLBACKS = []
    assert deserialize_session(before) is None
    assert deserialize_session(after) == SESSION


@pytest.mark.parametrize("source", ["another secret", "an empty secret", "another key", "no session"])
def test_entries_encrypted_by_others_are_misses(
    settings: Settings, caplog: pytest.LogCaptureFixture, source: str
) -> None:
    """They aren't logged."""
    entry = serialize_session(SESSION)
    if source == "another secret":
        settings.SECRET_KEY = "another"
    elif source == "an empty secret":
        secret, settings.SECRET_KEY = settings.SECRET_KEY, EmptyButTrue()
        entry = serialize_session(SESSION)
        assert deserialize_session(entry) == SESSION
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = secret, [""]
    elif source == "another key":
        plain = json.dumps(vars(SESSION), default=datetime.isoformat).encode()
        entry = {"sealed": Fernet(Fernet.generate_key()).encrypt(plain).decode()}
    else:
        entry = {"sealed": encrypt({"url": SESSION.url})}
    assert deserialize_session(entry) is None
    assert caplog.text == ""


def test_an_empty_secret_key_raises_improperly_configured(settings: Settings) -> None:
    entry = serialize_session(SESSION)
    settings.SECRET_KEY = ""
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY"):
        serialize_session(SESSION)
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY"):
        deserialize_session(entry)


@pytest.mark.parametrize("encrypt", [False, True])
@given(entry=VALUES)
def test_invalid_entries_are_misses(encrypt: bool, entry: Any) -> None:
    with override_settings(ALGUNA_PORTAL_ENCRYPT_CACHE=encrypt):
        assert deserialize_session(entry) is None
        assert deserialize_session({"sealed": entry}) is None
        assert deserialize_session({**serialize_session(SESSION), "sealed" if encrypt else "expires_at": entry}) is None


@given(token=VALUES | st.text() | st.binary(min_size=57).map(lambda data: urlsafe_b64encode(b"\x80" + data).decode()))
def test_invalid_tokens_are_not_decrypted(token: object) -> None:
    """Values that aren't strings, and strings that look like tokens."""
    assert decrypt(token) is None


def test_tampered_tokens_are_not_decrypted() -> None:
    sealed = serialize_session(SESSION)["sealed"]
    for place in range(0, len(sealed) - 4, 7):
        other = "A" if sealed[place] != "A" else "B"
        assert deserialize_session({"sealed": sealed[:place]}) is None
        assert deserialize_session({"sealed": sealed[:place] + other + sealed[place + 1 :]}) is None


@pytest.mark.parametrize("encrypt", [False, True])
def test_changing_the_setting_invalidates_cached_sessions(
    settings: Settings, alguna: FakeApi, customer: Customer, encrypt: bool
) -> None:
    settings.ALGUNA_PORTAL_ENCRYPT_CACHE = not encrypt
    open_session(customer, user=ANN)
    settings.ALGUNA_PORTAL_ENCRYPT_CACHE = encrypt
    assert open_session(customer, user=ANN).url == alguna.url(2)
    assert open_session(customer, user=ANN).url == alguna.url(2)
    (entry,) = [caches["default"].get(key) for key in get_credential_keys() if ":session:" in key]
    assert ("sealed" in entry) is encrypt


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("has_plain_entry", [False, True])
def test_without_cryptography_nothing_is_cached_unencrypted(
    settings: Settings, alguna: FakeApi, customer: Customer, monkeypatch: pytest.MonkeyPatch, has_plain_entry: bool
) -> None:
    """The error says what to install, and unencrypted entries aren't reused."""
    settings.ALGUNA_PORTAL_ENCRYPT_CACHE = False
    if has_plain_entry:
        open_session(customer, user=ANN)
    before = set(get_credential_keys())
    settings.ALGUNA_PORTAL_ENCRYPT_CACHE = True
    monkeypatch.setitem(sys.modules, "cryptography", None)
    for _ in range(2):
        with pytest.raises(ImproperlyConfigured, match=r'pip install "alguna_portal\[encryption\]"'):
            open_session(customer, user=ANN)
    assert set(get_credential_keys()) == before
    assert len(alguna.requests) == has_plain_entry


def test_cryptography_is_imported_only_if_the_setting_is_on() -> None:
    code = """
import sys
import django
from django.test import override_settings
django.setup()
from django.core.management import call_command
from alguna_portal.models import Customer
from alguna_portal.sessions import open_session
from alguna_portal.testing import fake_alguna
call_command("check", "alguna_portal")
for encrypt in (False, True):
    with fake_alguna(), override_settings(ALGUNA_PORTAL_ENCRYPT_CACHE=encrypt, ALGUNA_PORTAL_SESSION_REUSE="customer",
                                          ALGUNA_PORTAL_AUDIT=False):
        assert open_session(Customer(alias="acme-1")) == open_session(Customer(alias="acme-1"))
    print("cryptography" in sys.modules, end=" ")
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout.split()[-2:] == ["False", "True"], ran.stderr


def test_keys_are_derived_once_for_each_secret(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    derived: list[str] = []

    def derive(*args: Any, **kwargs: Any) -> HKDF:
        derived.append(settings.SECRET_KEY)
        return HKDF(*args, **kwargs)

    monkeypatch.setattr("cryptography.hazmat.primitives.kdf.hkdf.HKDF", derive)
    for secret in ("one", "two"):
        settings.SECRET_KEY = secret
        for _ in range(3):
            assert deserialize_session(serialize_session(SESSION)) == SESSION
    assert derived == ["one", "two"]


@pytest.mark.parametrize("library", ["cryptography", "cryptography.fernet"])
def test_error_reports_show_no_session(settings: Settings, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """Django's error reports contain the variables of all frames."""
    entry = serialize_session(SESSION)
    # A new secret, so that no cached keys are used.
    settings.SECRET_KEY = uuid4().hex
    monkeypatch.setitem(sys.modules, library, None)
    for fail in (partial(serialize_session, SESSION), partial(deserialize_session, vars(SESSION) | entry)):
        with pytest.raises((ImproperlyConfigured, ImportError)) as caught:
            fail()
        # Without the first frame, which is this test's.
        frames = ExceptionReporter(None, caught.type, caught.value, caught.tb).get_traceback_frames()[1:]
        assert {"serialize_session", "deserialize_session"} & {frame["function"] for frame in frames}
        for hidden in (SESSION.url, settings.SECRET_KEY):
            assert hidden not in str([frame["vars"] for frame in frames])


def test_sessions_are_reused_after_a_secret_rotation(settings: Settings, alguna: FakeApi, customer: Customer) -> None:
    settings.SECRET_KEY = "old"
    first = open_session(customer, user=ANN)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old", ""]
    assert open_session(customer, user=ANN) == first
    settings.SECRET_KEY_FALLBACKS = []
    assert open_session(customer, user=ANN).url == alguna.url(2)


def test_forget_works_across_processes_during_a_secret_rotation(
    settings: Settings, alguna: FakeApi, customer: Customer
) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old"]
    open_session(customer, user=ANN)
    with override_settings(SECRET_KEY="old", SECRET_KEY_FALLBACKS=[]):
        assert forget(customer)
    assert open_session(customer, user=ANN).url == alguna.url(2)
