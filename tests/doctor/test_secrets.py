"""No secret is said, whoever fails and whatever they say of it."""

import string
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.core.mail.backends.smtp import EmailBackend
from django.db import OperationalError
from django.test import override_settings
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from alguna_portal.doctor import runner
from alguna_portal.doctor.report import HIDDEN, error, redaction
from alguna_portal.doctor.runner import EXAMINATIONS, Examination
from alguna_portal.exceptions import UnexpectedResponse
from alguna_portal.sandbox.engine.types import Request, Response, json_response
from tests.doctor.conftest import Account, run
from tests.support.mailers import mail_by

HERE = "tests.doctor.test_secrets"
# What everybody who fails says.
SAID: list[str] = []

secrets = st.text(string.ascii_letters + string.digits + "-_!$%&*+/=?^~:;<>()'\"\\", min_size=12, max_size=60)


def spill(*_: Any, **__: Any) -> NoReturn:
    """Fail, and say everything."""
    raise OperationalError(" ".join(SAID))


class Cache(LocMemCache):
    """Fails on every use."""

    get = set = add = delete = get_many = spill


class Mail(EmailBackend):
    """Fails on every use."""

    open = close = spill


def resolver(request: object, *, more: object) -> None:
    """Cannot be called."""


@contextmanager
def known(*, key: str, webhook: str, secret_key: str, password: str) -> Iterator[list[str]]:
    """Have these secrets in the settings; give all of their forms that must not be said."""
    SAID[:] = [f"key_id.{key}", key, webhook, f"whsec_{webhook}", secret_key, password, f"//:{password}@host"]
    with ExitStack() as stack:
        stack.enter_context(
            override_settings(
                ALGUNA_PORTAL_API_KEY=f"key_id.{key}",
                ALGUNA_PORTAL_WEBHOOK_SECRETS=[f"whsec_{webhook}"],
                SECRET_KEY=secret_key,
                SECRET_KEY_FALLBACKS=[secret_key[::-1]],
                BROKER_URL=f"redis://mia:{password}@host.example.com",
                OTHER={"default": {"OPTIONS": {"PASSWORD": password.encode()}}},
            )
        )
        yield [key, webhook, secret_key, secret_key[::-1], password]


@given(key=secrets, webhook=secrets, secret_key=secrets, password=secrets)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_secret_is_said_where_everything_fails(
    well: Settings, account: Account, key: str, webhook: str, secret_key: str, password: str
) -> None:
    """Alguna repeats them, a cache, a mail server and a database say them in their failures."""
    well.ALGUNA_PORTAL_CUSTOMER_RESOLVER = f"{HERE}.nobody"
    well.CACHES = {"default": {"BACKEND": f"{HERE}.Cache"}}
    mail_by(well, f"{HERE}.Mail")
    account.answer = lambda _request: json_response({"detail": " ".join(SAID)}, status=400)
    with known(key=key, webhook=webhook, secret_key=secret_key, password=password) as kept:
        for arguments in ([], ["--json"]):
            status, said, failure = run(*arguments)
            assert status == 1
            for secret in kept:
                assert secret not in said
                assert secret not in failure


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 409, 422, 429, 500])
@pytest.mark.parametrize("first", [True, False])
def test_no_secret_is_said_whatever_alguna_answers(well: Settings, account: Account, status: int, first: bool) -> None:
    """To the first call, or to a later one."""

    def answer(request: Request) -> Response | None:
        if not first and request.path == "/customers":
            return json_response({"data": []})
        return json_response({"detail": " ".join(SAID), "customer_id": " ".join(SAID)}, status=status)

    account.answer = answer
    with known(key="k" * 20, webhook="d" * 32, secret_key="s" * 40, password="p" * 12) as kept:
        for arguments in ([], ["--json"]):
            _status, said, failure = run(*arguments)
            assert not [secret for secret in kept if secret in said + failure]


def test_no_secret_is_said_by_an_examination_that_crashes(well: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them, with a failure that says them all."""

    def crashing(module: str) -> Examination:
        def look(_visit: object) -> Any:
            yield error(f"{module}.said", " ".join(SAID), " ".join(SAID))
            raise UnexpectedResponse(" ".join(SAID))

        return Examination(name=module, title=module, look=look)

    monkeypatch.setattr(runner, "EXAMINATIONS", [crashing(each.name) for each in EXAMINATIONS])
    with known(key="k" * 20, webhook="d" * 32, secret_key="s" * 40, password="p" * 12) as kept:
        for arguments in ([], ["--json"]):
            _status, said, failure = run(*arguments)
            assert not [secret for secret in kept if secret in said + failure]
            assert HIDDEN in said


@given(secret=secrets, before=st.text(max_size=20), after=st.text(max_size=20))
@example(secret="a.long-enough-half", before="", after="")
@settings(max_examples=100, deadline=None)
def test_a_secret_is_taken_out_wherever_it_stands(secret: str, before: str, after: str) -> None:
    """Of a password in a URL, also as it is meant."""
    with override_settings(SOME_TOKEN=secret, ELSEWHERE=["https://mia:p%40ss-word-9@host", "http://[nowhere://"]):
        redact = redaction()
        assert secret not in redact(f"{before}{secret}{after}")
        assert secret.rpartition(".")[2] not in redact(secret) or len(secret.rpartition(".")[2]) < 4
        assert redact("p@ss-word-9, p%40ss-word-9") == f"{HIDDEN}, {HIDDEN}"


@pytest.mark.parametrize("name", ["CACHE_MIDDLEWARE_KEY_PREFIX", "CACHES"])
def test_a_key_prefix_is_no_secret(name: str) -> None:
    """It is an ordinary word, and may stand in a host's name; what else is said beside it is one."""
    caches = {"default": {"KEY_PREFIX": "kilnkeeper", "OPTIONS": {"key_prefix": "kilnkeeper"}}}
    word = caches if name == "CACHES" else "kilnkeeper"
    with override_settings(**{name: word}, SECRET_KEY_PREFIX="hush-hush", KEY_PREFIX_2="shhh-shhh"):
        assert redaction()("https://app.kilnkeeper.com") == "https://app.kilnkeeper.com"
        assert redaction()("hush-hush, shhh-shhh") == f"{HIDDEN}, {HIDDEN}"


def test_words_are_not_taken_for_secrets() -> None:
    """A password that is a short word of the language would make what is said unreadable."""
    with override_settings(A_PASSWORD="portal", B_PASSWORD="x9", C_PASSWORD="s3cret"):
        assert redaction()("the portal of x9, s3cret") == f"the portal of x9, {HIDDEN}"
