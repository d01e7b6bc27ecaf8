"""The output contains no secrets, even if exceptions and responses contain them."""

import string
from collections.abc import Iterator
from contextlib import contextmanager
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
from alguna_portal.doctor.report import HIDDEN, create_redactor, error
from alguna_portal.doctor.runner import CHECKS, Check
from alguna_portal.exceptions import UnexpectedResponse
from alguna_portal.sandbox.engine.types import Request, Response, json_response
from tests.doctor.conftest import FakeApi, run_command
from tests.support.mailers import use_email_backend

EXPOSED: list[str] = []  # the secrets in the texts of all exceptions and responses

# Names of findings, such as database.portal_settings, are not redacted. Hypothesis tries words from the code.
secrets = st.text(string.ascii_letters + string.digits + "-_!$%&*+/=?^~:;<>()'\"\\", min_size=12, max_size=60).filter(
    lambda text: not set(text) <= set(string.ascii_lowercase + "_")
)


def fail(*_: Any, **__: Any) -> NoReturn:
    """Raise an exception with all secrets in its text."""
    raise OperationalError(" ".join(EXPOSED))


class FailingCache(LocMemCache):
    """Fails on every use."""

    get = set = add = delete = get_many = fail


class FailingEmailBackend(EmailBackend):
    """Fails on every use."""

    open = close = fail


@contextmanager
def use_secrets(
    *, key: str = "k" * 20, webhook: str = "d" * 32, secret_key: str = "s" * 40, password: str = "p" * 12
) -> Iterator[list[str]]:
    """Use secrets in the settings; return all their forms that must not appear in the output."""
    EXPOSED[:] = [f"key_id.{key}", key, webhook, f"whsec_{webhook}", secret_key, password, f"//:{password}@host"]
    with override_settings(
        ALGUNA_PORTAL_API_KEY=f"key_id.{key}",
        ALGUNA_PORTAL_WEBHOOK_SECRETS=[f"whsec_{webhook}"],
        SECRET_KEY=secret_key,
        SECRET_KEY_FALLBACKS=[secret_key[::-1]],
        BROKER_URL=f"redis://mia:{password}@host.example.com",
        OTHER={"default": {"OPTIONS": {"PASSWORD": password.encode()}}},
    ):
        yield [key, webhook, secret_key, secret_key[::-1], password]


def assert_no_secrets(hidden: list[str]) -> list[tuple[int, str]]:
    """Run the command as text and JSON; return the exit statuses and outputs."""
    results = []
    for arguments in ([], ["--json"]):
        status, output, message = run_command(*arguments)
        assert not [secret for secret in hidden if secret in output or secret in message]
        results.append((status, output))
    return results


@given(key=secrets, webhook=secrets, secret_key=secrets, password=secrets)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_failures_show_no_secrets(
    healthy: Settings, api: FakeApi, key: str, webhook: str, secret_key: str, password: str
) -> None:
    healthy.ALGUNA_PORTAL_CUSTOMER_RESOLVER = f"{__name__}.missing"
    healthy.CACHES = {"default": {"BACKEND": f"{__name__}.FailingCache"}}
    use_email_backend(healthy, f"{__name__}.FailingEmailBackend")
    api.respond = lambda _request: json_response({"detail": " ".join(EXPOSED)}, status=400)
    with use_secrets(key=key, webhook=webhook, secret_key=secret_key, password=password) as hidden:
        for status, _output in assert_no_secrets(hidden):
            assert status == 1


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 409, 422, 429, 500])
@pytest.mark.parametrize("is_first", [True, False])
def test_api_responses_show_no_secrets(healthy: Settings, api: FakeApi, status: int, is_first: bool) -> None:
    """Either the first response contains them, or later ones do."""

    def respond(request: Request) -> Response | None:
        if not is_first and request.path == "/customers":
            return json_response({"data": []})
        return json_response({"detail": " ".join(EXPOSED), "customer_id": " ".join(EXPOSED)}, status=status)

    api.respond = respond
    with use_secrets() as hidden:
        assert_no_secrets(hidden)


def test_failing_checks_show_no_secrets(healthy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def create_failing_check(name: str) -> Check:
        def run(_context: object) -> Any:
            yield error(f"{name}.said", " ".join(EXPOSED), " ".join(EXPOSED))
            raise UnexpectedResponse(" ".join(EXPOSED))

        return Check(name=name, title=name, run=run)

    monkeypatch.setattr(runner, "CHECKS", [create_failing_check(check.name) for check in CHECKS])
    with use_secrets() as hidden:
        for _status, output in assert_no_secrets(hidden):
            assert HIDDEN in output


@given(secret=secrets, before=st.text(max_size=20), after=st.text(max_size=20))
@example(secret="a.long-enough-half", before="", after="")
@settings(max_examples=100, deadline=None)
def test_secrets_are_redacted_anywhere_in_a_text(secret: str, before: str, after: str) -> None:
    """The password of a URL is redacted with and without percent-encoding."""
    with override_settings(SOME_TOKEN=secret, ELSEWHERE=["https://mia:p%40ss-word-9@host", "http://[nowhere://"]):
        redact = create_redactor()
        assert secret not in redact(f"{before}{secret}{after}")
        assert secret.rpartition(".")[2] not in redact(secret) or len(secret.rpartition(".")[2]) < 4
        assert redact("p@ss-word-9, p%40ss-word-9") == f"{HIDDEN}, {HIDDEN}"


@pytest.mark.parametrize("name", ["CACHE_MIDDLEWARE_KEY_PREFIX", "CACHES"])
def test_key_prefixes_are_not_redacted(name: str) -> None:
    """They may be part of a host name. Settings with similar names are redacted."""
    caches = {"default": {"KEY_PREFIX": "kilnkeeper", "OPTIONS": {"key_prefix": "kilnkeeper"}}}
    value = caches if name == "CACHES" else "kilnkeeper"
    with override_settings(**{name: value}, SECRET_KEY_PREFIX="hush-hush", KEY_PREFIX_2="shhh-shhh"):
        assert create_redactor()("https://app.kilnkeeper.com") == "https://app.kilnkeeper.com"
        assert create_redactor()("hush-hush, shhh-shhh") == f"{HIDDEN}, {HIDDEN}"


def test_short_words_are_not_redacted() -> None:
    with override_settings(A_PASSWORD="portal", B_PASSWORD="x9", C_PASSWORD="s3cret"):
        assert create_redactor()("the portal of x9, s3cret") == f"the portal of x9, {HIDDEN}"
