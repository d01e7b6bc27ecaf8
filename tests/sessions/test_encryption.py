"""Encryption at rest: what a cache holds says nothing, follows `SECRET_KEY`, and can always be done without."""

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
from tests.conftest import Alguna
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
    """An empty secret that Django takes for one."""

    __slots__ = ()

    def __bool__(self) -> bool:
        """Pretend."""
        return True


@pytest.fixture(autouse=True)
def _encrypted(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_ENCRYPT_CACHE = True
    # The trail has tests of its own.
    settings.ALGUNA_PORTAL_AUDIT = False


@pytest.fixture
def own_cache(settings: Settings) -> None:
    """A cache that nobody else meets when it is taken for a broken one."""
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": uuid4().hex}}


@pytest.fixture
def customer() -> Customer:
    """A customer without a row."""
    return Customer(alias="acme-1", plan="starter")


def credentials() -> Iterator[str]:
    """List the keys of what may hold a session: the entries, and the outcomes of flights."""
    keys = [key.removeprefix(":1:") for key in caches["default"]._cache]  # type: ignore[attr-defined]
    return (key for key in keys if ":lock" not in key and (":session:" in key or ":outcome:" in key))


def test_an_entry_says_nothing_and_gives_the_session_back() -> None:
    """It holds one opaque text, another one each time."""
    entry = serialize_session(SESSION)
    assert list(entry) == ["sealed"]
    assert not [value for value in vars(SESSION).values() if str(value) in str(entry)]
    assert serialize_session(SESSION) != entry
    assert deserialize_session(json.loads(json.dumps(entry))) == SESSION


def test_a_second_click_reads_what_the_first_one_sealed(alguna: Alguna, customer: Customer) -> None:
    """Encryption costs no session."""
    first = open_session(customer, user=ANN)
    assert open_session(customer, user=ANN) == first
    assert len(alguna.requests) == 1


def test_who_waits_gets_the_session_that_the_leader_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A follower reads the outcome, and makes none of its own."""
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
        raise AssertionError("A follower has asked.")

    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(share_session, "lock", lead, budget=30)
        assert asked.wait(10)
        follower = pool.submit(share_session, "lock", never, budget=30)
        assert follower.result() == leader.result() == SESSION
    outcomes = [caches["default"].get(key) for key in credentials()]
    assert [list(outcome["value"]) for outcome in outcomes] == [["sealed"]]


@pytest.mark.parametrize("fallbacks", [["old"], ["older", "old"], [b"old"], ["", "old"]])
def test_what_was_sealed_before_a_rotation_is_read_while_its_secret_is_a_fallback(
    settings: Settings, fallbacks: list[str | bytes]
) -> None:
    """And what is sealed afterwards needs the new one alone."""
    settings.SECRET_KEY = "old"
    before = serialize_session(SESSION)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", fallbacks
    assert deserialize_session(before) == SESSION
    after = serialize_session(SESSION)
    settings.SECRET_KEY_FALLBACKS = []
    assert deserialize_session(before) is None
    assert deserialize_session(after) == SESSION


@pytest.mark.parametrize("entry_of", ["another secret", "an empty secret", "another key", "no session"])
def test_what_we_did_not_seal_is_no_session(
    settings: Settings, caplog: pytest.LogCaptureFixture, entry_of: str
) -> None:
    """It is a miss like any other, of which the log need not hear."""
    entry = serialize_session(SESSION)
    if entry_of == "another secret":
        settings.SECRET_KEY = "another"
    elif entry_of == "an empty secret":
        secret, settings.SECRET_KEY = settings.SECRET_KEY, EmptyButTrue()
        entry = serialize_session(SESSION)
        assert deserialize_session(entry) == SESSION
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = secret, [""]
    elif entry_of == "another key":
        plain = json.dumps(vars(SESSION), default=datetime.isoformat).encode()
        entry = {"sealed": Fernet(Fernet.generate_key()).encrypt(plain).decode()}
    else:
        entry = {"sealed": encrypt({"url": SESSION.url})}
    assert deserialize_session(entry) is None
    assert caplog.text == ""


def test_without_a_secret_nothing_is_sealed(settings: Settings) -> None:
    """Django's own error says so."""
    entry = serialize_session(SESSION)
    settings.SECRET_KEY = ""
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY"):
        serialize_session(SESSION)
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY"):
        deserialize_session(entry)


@pytest.mark.parametrize("encrypt", [False, True])
@given(entry=VALUES)
def test_garbage_is_no_session_and_no_exception(encrypt: bool, entry: Any) -> None:
    """Whatever stands in the cache, the click goes on."""
    with override_settings(ALGUNA_PORTAL_ENCRYPT_CACHE=encrypt):
        assert deserialize_session(entry) is None
        assert deserialize_session({"sealed": entry}) is None
        assert deserialize_session({**serialize_session(SESSION), "sealed" if encrypt else "expires_at": entry}) is None


@given(token=VALUES | st.text() | st.binary(min_size=57).map(lambda data: urlsafe_b64encode(b"\x80" + data).decode()))
def test_nothing_that_was_not_sealed_is_opened(token: object) -> None:
    """What is no text, has letters that no token has, or bytes that one could have, is all the same."""
    assert decrypt(token) is None


def test_a_sealed_text_that_was_cut_or_changed_is_not_opened() -> None:
    """No part of a session is better than the whole of it."""
    sealed = serialize_session(SESSION)["sealed"]
    for place in range(0, len(sealed) - 4, 7):
        other = "A" if sealed[place] != "A" else "B"
        assert deserialize_session({"sealed": sealed[:place]}) is None
        assert deserialize_session({"sealed": sealed[:place] + other + sealed[place + 1 :]}) is None


@pytest.mark.parametrize("encrypt", [False, True])
def test_turning_it_on_or_off_makes_new_sessions_and_believes_no_old_ones(
    settings: Settings, alguna: Alguna, customer: Customer, encrypt: bool
) -> None:
    """Plain entries that lie there are not given out once it is on, nor sealed ones once it is off."""
    settings.ALGUNA_PORTAL_ENCRYPT_CACHE = not encrypt
    open_session(customer, user=ANN)
    settings.ALGUNA_PORTAL_ENCRYPT_CACHE = encrypt
    assert open_session(customer, user=ANN).url == alguna.url(2)
    assert open_session(customer, user=ANN).url == alguna.url(2)
    (kept,) = [caches["default"].get(key) for key in credentials() if ":session:" in key]
    assert ("sealed" in kept) is encrypt


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("lies_there", [False, True])
def test_without_the_library_a_click_fails_and_nothing_is_kept_in_plain(
    settings: Settings, alguna: Alguna, customer: Customer, monkeypatch: pytest.MonkeyPatch, lies_there: bool
) -> None:
    """It says what to install; what lies there in plain is not given out, and nothing is added to it."""
    settings.ALGUNA_PORTAL_ENCRYPT_CACHE = False
    if lies_there:
        open_session(customer, user=ANN)
    before = set(credentials())
    settings.ALGUNA_PORTAL_ENCRYPT_CACHE = True
    monkeypatch.setitem(sys.modules, "cryptography", None)
    for _ in range(2):
        with pytest.raises(ImproperlyConfigured, match=r'pip install "alguna_portal\[encryption\]"'):
            open_session(customer, user=ANN)
    assert set(credentials()) == before
    assert len(alguna.requests) == lies_there


def test_a_site_without_it_does_not_load_the_library() -> None:
    """Neither its start nor a click pays for what the setting leaves off; one with it on does."""
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


def test_keys_are_derived_once_and_again_when_the_secret_changes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cached click does not pay for it, and no replaced secret goes on sealing."""
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
def test_the_report_of_a_library_that_is_not_there_or_broken_shows_no_session(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    """Django mails the variables of all frames to the site's administrators."""
    entry = serialize_session(SESSION)
    # A new one, so that no keys are there yet.
    settings.SECRET_KEY = uuid4().hex
    monkeypatch.setitem(sys.modules, library, None)
    for fail in (partial(serialize_session, SESSION), partial(deserialize_session, vars(SESSION) | entry)):
        with pytest.raises((ImproperlyConfigured, ImportError)) as caught:
            fail()
        # But for the first frame, which is this one.
        frames = ExceptionReporter(None, caught.type, caught.value, caught.tb).get_traceback_frames()[1:]
        assert {"serialize_session", "deserialize_session"} & {frame["function"] for frame in frames}
        for hidden in (SESSION.url, settings.SECRET_KEY):
            assert hidden not in str([frame["vars"] for frame in frames])


def test_a_rotated_secret_costs_no_session_while_the_old_one_is_a_fallback(
    settings: Settings, alguna: Alguna, customer: Customer
) -> None:
    """Names and contents are found again; once the old secret is gone, a click makes one new session."""
    settings.SECRET_KEY = "old"
    first = open_session(customer, user=ANN)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old", ""]
    assert open_session(customer, user=ANN) == first
    settings.SECRET_KEY_FALLBACKS = []
    assert open_session(customer, user=ANN).url == alguna.url(2)


def test_what_a_process_forgets_is_forgotten_by_those_that_have_the_new_secret_already(
    settings: Settings, alguna: Alguna, customer: Customer
) -> None:
    """While a rotation is rolled out, some processes know one secret and some know both."""
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old"]
    open_session(customer, user=ANN)
    with override_settings(SECRET_KEY="old", SECRET_KEY_FALLBACKS=[]):
        assert forget(customer)
    assert open_session(customer, user=ANN).url == alguna.url(2)
