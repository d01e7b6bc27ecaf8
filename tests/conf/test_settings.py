"""Settings and system checks: valid values have their types; invalid values have one error with the remedy."""

import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial, wraps
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings
from pytest_django import Settings

from alguna_portal.access import allow_every_member, resolve_by_membership
from alguna_portal.conf import conf
from alguna_portal.conf.checks import IDS, check_settings
from alguna_portal.conf.settings import Conf, Setting
from alguna_portal.portal_settings import PortalSettings

# Some of Django's own checks use the database.
pytestmark = pytest.mark.django_db

DEFAULTS = {
    "API_URL": "https://api.alguna.io",
    "API_VERSION": "2026-04-01",
    "TIMEOUT": (3.05, 8),
    "TIME_BUDGET": 12,
    "RETRIES": 2,
    "URL_HOSTS": ["alguna.io", ".alguna.io", ".alguna.app", ".alguna.site"],
    "DEFAULTS": PortalSettings(),
    "PLANS": {},
    "PLAN_IDS": {},
    "SESSION_REUSE": "user",
    "SESSION_SECONDS": 300,
    "EXPIRY_MARGIN": 60,
    "CACHE": "default",
    "ENCRYPT_CACHE": False,
    "CUSTOMER_RESOLVER": resolve_by_membership,
    "ACCESS_POLICY": allow_every_member,
    "PROVISION_ON_OPEN": False,
    "LINK_MAX_AGE": timedelta(days=7),
    "LINK_ROLE": "manager",
    "LINK_MAX_USES": None,
    "AUDIT": True,
    "SUPPORT_CONTACT": "",
    "WEBHOOK_SECRETS": [],
    "USE_TASKS": False,
}

VALID = [
    ("API_URL", "http://localhost:8000/sandbox/", "http://localhost:8000/sandbox"),
    ("API_URL", "http://[::1]:8000", "http://[::1]:8000"),
    ("API_URL", "http://app.localhost:8000", "http://app.localhost:8000"),
    ("API_VERSION", "legacy", "legacy"),
    ("TIMEOUT", 5, (5, 5)),
    ("TIMEOUT", [1, 2.5], (1, 2.5)),
    ("EXPIRY_MARGIN", 0, 0),
    ("EXPIRY_MARGIN", timedelta(0), 0),
    ("EXPIRY_MARGIN", timedelta(minutes=2), 120),
    ("TIME_BUDGET", timedelta(seconds=5), 5),
    ("URL_HOSTS", ["Billing.Example.com", "localhost", "[::1]"], ["billing.example.com", "localhost", "::1"]),
    ("PLANS", {"pro": {"invoice_list_settings": {"show_section": True}}}, {
        "pro": PortalSettings.parse({"invoice_list_settings": {"show_section": True}}),
    }),
    ("PLAN_IDS", {"plan_1": "starter"}, {"plan_1": "starter"}),
    ("ENCRYPT_CACHE", True, True),
    ("ACCESS_POLICY", allow_every_member, allow_every_member),
    ("LINK_MAX_AGE", 3600, timedelta(hours=1)),
    ("LINK_MAX_AGE", timedelta(hours=2), timedelta(hours=2)),
    ("SITE_URL", "https://app.example.com/", "https://app.example.com"),
    ("SUPPORT_CONTACT", "billing@example.com", "billing@example.com"),
    ("SUPPORT_CONTACT", "https://example.com/help", "https://example.com/help"),
    ("SUPPORT_CONTACT", "/help/", "/help/"),
    ("WEBHOOK_SECRETS", ("whsec_abc",), ["whsec_abc"]),
]  # fmt: skip

INVALID = [
    ("API_KEY", 12, "must be a secret of visible ASCII characters"),
    ("API_KEY", "key_1.secret\n", "without spaces or line breaks"),
    ("API_KEY", "key_1.sécret", "visible ASCII"),
    ("API_URL", "api.alguna.io", "must be a whole address, with https://"),
    ("API_URL", "ftp://api.alguna.io", "must be a whole address"),
    ("API_URL", "https://", "and a host, such as"),
    ("API_URL", "https://[", "is not a web address"),
    ("API_URL", "https://api.alguna.io:port", "is not a web address"),
    ("API_URL", "https://user@api.alguna.io", "has a user name, a query or a fragment"),
    ("API_URL", "https://api.alguna.io?a=b", "has a user name, a query or a fragment"),
    ("API_URL", "https://api.alguna.io/ v1", "without spaces"),
    ("API_URL", "http://api.alguna.io", "must be https outside DEBUG, not http"),
    ("API_URL", None, "must be an address such as"),
    ("API_VERSION", "2025-01-01", "must be one of “2026-04-01”, “legacy”, not “2025-01-01”. Did you mean"),
    ("TIMEOUT", (1, 2, 3), "must be a pair of seconds: (connect, read)"),
    ("TIMEOUT", (0, 1), "must be a number of seconds, more than zero"),
    ("TIMEOUT", "5", "must be a number of seconds, more than zero"),
    ("TIME_BUDGET", True, "must be a number of seconds"),
    ("TIME_BUDGET", float("inf"), "must be a number of seconds"),
    ("RETRIES", -1, "must be a whole number, zero or more, not -1"),
    ("RETRIES", 1.5, "must be a whole number"),
    ("RETRIES", 10**9, "must be 1000000 at most, not 1000000000."),
    ("EXPIRY_MARGIN", True, "must be a number of seconds"),
    ("EXPIRY_MARGIN", False, "must be a number of seconds"),
    ("EXPIRY_MARGIN", [], "must be a number of seconds, more than zero, not a value of type list"),
    ("URL_HOSTS", "alguna.io", "must be a list of host names, even if there is only one"),
    ("URL_HOSTS", ["https://billing.example.com"], "must hold host names, not URLs: write “billing.example.com”."),
    ("URL_HOSTS", ["http://user:hush@localhost:8000/x"], "must hold host names, not URLs: write “localhost”."),
    ("URL_HOSTS", ["https://["], "must hold host names, not URLs"),
    ("URL_HOSTS", ["billing.example.com:8000"], "write the host without its port"),
    ("URL_HOSTS", ["*"], "a leading dot stands for every subdomain"),
    ("URL_HOSTS", ["."], "which is not a host name"),
    ("URL_HOSTS", ["billing.example.com/portal"], "which is not a host name"),
    ("URL_HOSTS", [None], "must hold host names such as"),
    ("DEFAULTS", {"plan_overview": {}}, "Did you mean “plan_overview_settings”?"),
    ("DEFAULTS", {"invoice_list_settings": {"show_section": "no"}}, "is true or false, not a string"),
    ("PLANS", ["starter"], "must be a mapping from a name to portal settings"),
    ("PLANS", {"": {}}, "has a key that is empty or not a string"),
    ("PLANS", {"pro": {"plan_overview_settings": {"allow_cancel": False}}}, "['pro'] is not right. "
     "“plan_overview_settings” has no field “allow_cancel”. Did you mean “allow_subscription_cancel”?"),
    ("PLAN_IDS", {"plan_1": "startr"}, "['plan_1'] must be one of “starter”, “growth”, “enterprise”, not “startr”. "
     "Did you mean “starter”?"),
    ("SESSION_REUSE", "users", ", not “users”. Did you mean “user”?"),
    ("SESSION_REUSE", None, "must be one of “user”, “browser”, “customer”, “never”."),
    ("SESSION_SECONDS", 0, "more than zero"),
    ("CACHE", "redis", "must be one of “default”, not “redis”."),
    ("ENCRYPT_CACHE", "False", "must be True or False, not a value of type str"),
    ("CUSTOMER_RESOLVER", "nowhere.resolve", "names “nowhere.resolve”, which cannot be imported"),
    ("CUSTOMER_RESOLVER", "resolve", "cannot be imported"),
    ("ACCESS_POLICY", "alguna_portal.__version__", "must be the dotted path of a callable"),
    ("PROVISION_ON_OPEN", 1, "must be True or False, not 1"),
    ("LINK_MAX_AGE", timedelta(0), "more than zero"),
    ("LINK_MAX_USES", 0, "must be a whole number, one or more, or None for no limit, not 0"),
    ("LINK_MAX_USES", "3", "must be a whole number, one or more, or None"),
    ("LINK_MAX_USES", -1, "must be a whole number"),
    ("AUDIT", "False", "must be True or False"),
    ("LINK_ROLE", "owner", "must be one of “manager”, “viewer”, not “owner”"),
    ("SITE_URL", "https://app.example.com/app", "must be the site's origin alone"),
    ("SITE_URL", "http://app.example.com", "must be https"),
    ("SITE_URL", "https://app.example.com?", "has a user name, a query or a fragment"),
    ("SITE_URL", "https://app.example.com#", "has a user name, a query or a fragment"),
    ("SUPPORT_CONTACT", "the help desk", "must be an e-mail address, a web address or a path"),
    ("SUPPORT_CONTACT", "//evil.example/", "must be an e-mail address, a web address or a path"),
    ("SUPPORT_CONTACT", None, "must be an e-mail address, a web address or a path"),
    ("WEBHOOK_SECRETS", "whsec_abc", "must be a list of secrets"),
    ("WEBHOOK_SECRETS", [""], "must be a secret"),
    ("WEBHOOK_SECRETS", ["whsec_"], "Copy the endpoint's signing secret whole"),
    ("WEBHOOK_SECRETS", ["whsec_c2VjcmV0", "whsec_a"], "Copy the endpoint's signing secret whole"),
    ("WEBHOOK_SECRETS", ["whsec_c2Vj…"], "must be a secret"),
    ("USE_TASKS", 0, "must be True or False, not 0"),
]  # fmt: skip


def get_messages(check: str | None = None) -> list[CheckMessage]:
    """Return our messages with an id such as `E001`, or all except W005, which the tests' local cache causes."""
    ours = [message for message in run_checks() if str(message.id).startswith("alguna_portal.")]
    return [
        each for each in ours if (each.id == f"alguna_portal.{check}" if check else each.id != "alguna_portal.W005")
    ]


@pytest.fixture(autouse=True)
def _known_plans(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_PLANS = {"starter": {}, "growth": {}, "enterprise": {}}


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items(), ids=DEFAULTS)
def test_unset_setting_has_the_documented_default(settings: Settings, name: str, value: object) -> None:
    if hasattr(settings, f"ALGUNA_PORTAL_{name}"):
        delattr(settings, f"ALGUNA_PORTAL_{name}")
    assert getattr(conf, name) == value


@pytest.mark.parametrize(("name", "raw", "value"), VALID)
def test_valid_value_has_its_type(name: str, raw: object, value: object) -> None:
    """Values aren't cached."""
    with override_settings(**{f"ALGUNA_PORTAL_{name}": raw}):
        assert getattr(conf, name) == value
        assert get_messages() == []


@pytest.mark.parametrize(("name", "raw", "text"), INVALID)
def test_invalid_value_is_an_error_with_the_remedy(name: str, raw: object, text: str) -> None:
    """Reading the setting raises it, and `manage.py check` reports it with the setting's id."""
    with override_settings(**{f"ALGUNA_PORTAL_{name}": raw}):
        with pytest.raises(ImproperlyConfigured) as caught:
            getattr(conf, name)
        problem = str(caught.value)
        assert problem.startswith(f"ALGUNA_PORTAL_{name}")
        assert text in problem
        assert [message.msg for message in get_messages(IDS[name])] == [problem]


def test_http_to_another_host_is_accepted_with_debug(settings: Settings) -> None:
    """For a sandbox in another container."""
    settings.ALGUNA_PORTAL_API_URL = "http://sandbox:8000/sandbox"
    settings.DEBUG = True
    assert conf.API_URL == "http://sandbox:8000/sandbox"


@pytest.mark.parametrize("key", ["", None])
def test_missing_key_is_a_warning_and_raises_on_use(settings: Settings, key: str | None) -> None:
    """A project can be set up before it has a key."""
    settings.ALGUNA_PORTAL_API_KEY = key
    with pytest.raises(ImproperlyConfigured, match=r"ALGUNA_PORTAL_API_KEY is not set\. Create an API key") as caught:
        _ = conf.API_KEY
    assert [(message.id, message.msg) for message in get_messages()] == [("alguna_portal.W001", str(caught.value))]


def test_missing_site_url_raises_on_use_only(settings: Settings) -> None:
    """Projects that send no links don't need it."""
    del settings.ALGUNA_PORTAL_SITE_URL
    with pytest.raises(ImproperlyConfigured, match=r"ALGUNA_PORTAL_SITE_URL is not set\. Links in mails"):
        _ = conf.SITE_URL
    assert get_messages() == []


def test_errors_do_not_show_secrets(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_API_KEY = "key_1.hush hush"
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = ["whsec_hush hush"]
    text = " ".join(message.msg for message in run_checks())
    assert "API_KEY" in text
    assert "WEBHOOK_SECRETS" in text
    assert "hush" not in text


@pytest.mark.parametrize(
    ("name", "hint"),
    [("ALGUNA_PORTAL_API_KEYS", "Did you mean ALGUNA_PORTAL_API_KEY?"),
     ("ALGUNA_PORTAL_ZZZ", "Remove it, or look its name up in the documentation.")],
)  # fmt: skip
def test_unknown_setting_is_a_warning(name: str, hint: str) -> None:
    with override_settings(**{name: 1}):
        (found,) = get_messages("W002")
    assert (found.msg, found.hint) == (f"{name} is not a setting of alguna_portal.", hint)


def test_encryption_without_its_package_is_an_error(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the package to install. Without encryption, the package isn't needed."""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    settings.ALGUNA_PORTAL_ENCRYPT_CACHE = False
    assert get_messages() == []
    settings.ALGUNA_PORTAL_ENCRYPT_CACHE = True
    with pytest.raises(ImproperlyConfigured) as caught:
        _ = conf.ENCRYPT_CACHE
    assert str(caught.value) == (
        "ALGUNA_PORTAL_ENCRYPT_CACHE needs cryptography, which is not installed: "
        'pip install "alguna_portal[encryption]".'
    )
    assert [(message.id, message.msg) for message in get_messages()] == [("alguna_portal.E015", str(caught.value))]


@pytest.mark.parametrize(
    ("plans", "check", "text"),
    [
        ({"pro": {"oops": {}}}, "E009", "ALGUNA_PORTAL_PLANS['pro'] is not right."),
        ({}, "E010", "ALGUNA_PORTAL_PLAN_IDS names plans, but there are none in ALGUNA_PORTAL_PLANS."),
    ],
)
def test_plan_ids_need_valid_plans(settings: Settings, plans: dict[str, Any], check: str, text: str) -> None:
    """An invalid plan is reported once, and not for `PLAN_IDS`, which refers to it."""
    settings.ALGUNA_PORTAL_PLANS = plans
    settings.ALGUNA_PORTAL_PLAN_IDS = {"plan_1": "pro"}
    (found,) = get_messages()
    assert found.id == f"alguna_portal.{check}"
    assert found.msg.startswith(text)


@pytest.mark.parametrize("backend", ["dummy.DummyCache", "filebased.FileBasedCache", "locmem.LocMemCache"])
def test_cache_that_is_not_shared_is_a_warning(settings: Settings, tmp_path: Path, backend: str) -> None:
    """Except with DEBUG: each process would create its own sessions."""
    shared = {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}
    alone = {"BACKEND": f"django.core.cache.backends.{backend}", "LOCATION": str(tmp_path)}
    settings.CACHES = {"default": shared, "alone": alone}
    assert not get_messages("W005")
    settings.ALGUNA_PORTAL_CACHE = "alone"
    (found,) = get_messages("W005")
    assert f"The cache “alone” is a {backend.partition('.')[2]}, which processes cannot share" in found.msg
    settings.DEBUG = True
    assert not get_messages("W005")


class Hook:
    def __call__(self, request: Any) -> None:
        """Return no customer."""


class AsyncHook:
    async def __call__(self, request: Any) -> None:
        """Return no customer."""


async def async_resolver(request: Any) -> None:
    """Return no customer."""


async def async_generator(request: Any) -> AsyncIterator[None]:
    """Yield no customer."""
    yield None


@pytest.mark.parametrize(
    ("name", "hook", "problem"),
    [
        ("CUSTOMER_RESOLVER", lambda: None, "cannot be called with (request): too many positional arguments. Write it"),
        ("CUSTOMER_RESOLVER", lambda request, tenant: None, "missing a required argument: 'tenant'. Write it as “def "),
        ("CUSTOMER_RESOLVER", lambda *, request: None, "cannot be called with (request): too many positional"),
        ("CUSTOMER_RESOLVER", async_resolver, "is async, and is called without await. Write it with “def”"),
        ("CUSTOMER_RESOLVER", partial(async_resolver), "is async"),
        ("CUSTOMER_RESOLVER", AsyncHook(), "is async"),
        ("CUSTOMER_RESOLVER", async_generator, "is async"),
        ("CUSTOMER_RESOLVER", sync_to_async(lambda request: None), "is async"),
        ("CUSTOMER_RESOLVER", lambda request: (yield), "has a “yield”, so it answers with a generator. Return the"),
        ("CUSTOMER_RESOLVER", Hook, "is a class, and calling it only makes an instance. Name a function"),
        ("ACCESS_POLICY", lambda request, user, customer: True, "got an unexpected keyword argument 'role'. Write it"),
        ("ACCESS_POLICY", lambda request: True, "cannot be called with (request=…, user=…, customer=…, role=…): got"),
        ("ACCESS_POLICY", lambda *, account, **_: True, "argument: 'account'. Write it as “def may"),
        ("ACCESS_POLICY", lambda user, customer, role, request, /: True, "cannot be called with (request=…"),
        ("ACCESS_POLICY", AsyncHook(), "is async"),
    ],
)  # fmt: skip
def test_hook_that_cannot_be_called_is_an_error(name: str, hook: Any, problem: str) -> None:
    """With the setting, the problem and the remedy."""
    with override_settings(**{f"ALGUNA_PORTAL_{name}": hook}):
        (found,) = get_messages()
    assert found.id == f"alguna_portal.{IDS[name]}"
    assert found.msg.startswith(f"ALGUNA_PORTAL_{name} ")
    assert problem in found.msg


@pytest.mark.parametrize(
    ("name", "hook"),
    [
        ("CUSTOMER_RESOLVER", Hook()),
        ("CUSTOMER_RESOLVER", Hook().__call__),
        ("CUSTOMER_RESOLVER", lambda request, tenant=None: None),
        ("CUSTOMER_RESOLVER", lambda *args, **kwargs: None),
        ("CUSTOMER_RESOLVER", partial(lambda tenant, request: None, "tenant")),
        ("CUSTOMER_RESOLVER", wraps(lambda request, tenant: None)(lambda request: None)),
        ("CUSTOMER_RESOLVER", async_to_sync(async_resolver)),
        ("CUSTOMER_RESOLVER", next),
        ("CUSTOMER_RESOLVER", attrgetter("user.organization")),
        ("ACCESS_POLICY", lambda **_: True),
        ("ACCESS_POLICY", lambda role, customer, user, request: True),
        ("ACCESS_POLICY", lambda *, role, **_: True),
        ("ACCESS_POLICY", getattr),
    ],
)
def test_hook_that_can_be_called_is_accepted(name: str, hook: Any) -> None:
    """For decorated functions, the wrapper's arguments count. Functions without a signature aren't checked."""
    with override_settings(**{f"ALGUNA_PORTAL_{name}": hook}):
        assert get_messages() == []


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import nowhere", "which cannot be imported: No module named 'nowhere'."),
        ("1 / 0", "whose import fails: ZeroDivisionError: division by zero"),
        ("def (", "whose import fails: SyntaxError: invalid syntax (broken_billing.py, line 1)"),
        ("from django.core.exceptions import ImproperlyConfigured\nraise ImproperlyConfigured('Set TENANT.')",
         "whose import fails: ImproperlyConfigured: Set TENANT."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["CUSTOMER_RESOLVER", "ACCESS_POLICY"])
def test_hook_whose_import_fails_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str, problem: str
) -> None:
    """With the setting, the dotted path and the exception."""
    (tmp_path / "broken_billing.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with override_settings(**{f"ALGUNA_PORTAL_{name}": "broken_billing.hook"}):
        (found,) = get_messages()
    assert found.id == f"alguna_portal.{IDS[name]}"
    assert found.msg == f"ALGUNA_PORTAL_{name} names “broken_billing.hook”, {problem}"


def test_missing_context_processor_is_a_warning(settings: Settings) -> None:
    """Without the request, the button isn't shown."""
    (templates,) = settings.TEMPLATES
    settings.TEMPLATES = [{**templates, "OPTIONS": {"context_processors": []}}]
    assert [message.id for message in get_messages()] == ["alguna_portal.W004"]


def test_check_command_fails_for_an_invalid_setting(settings: Settings) -> None:
    settings.DEBUG = True
    settings.ALGUNA_PORTAL_SESSION_REUSE = "everyone"
    with pytest.raises(SystemCheckError, match=r"alguna_portal\.E011"):
        call_command("check")


def test_every_setting_has_its_own_check_id() -> None:
    """And no value can be assigned."""
    assert set(IDS) == {name for name, value in vars(Conf).items() if isinstance(value, Setting)}
    assert len(set(IDS.values())) == len(IDS)
    with pytest.raises(AttributeError):
        conf.AUDIT = False  # type: ignore[misc]


def test_http_is_rejected_again_when_debug_is_turned_off_without_a_signal() -> None:
    with override_settings(DEBUG=True, ALGUNA_PORTAL_API_URL="http://api.example.com"):
        assert conf.API_URL == "http://api.example.com"
        django_settings.DEBUG = False
        with pytest.raises(ImproperlyConfigured, match="must be https outside DEBUG"):
            _ = conf.API_URL


def test_a_default_list_is_not_shared() -> None:
    conf.URL_HOSTS.append("evil.example")
    assert "evil.example" not in conf.URL_HOSTS


def test_an_invalid_api_version_is_reported_once(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_API_VERSION = "2026-04-02"
    settings.ALGUNA_PORTAL_PLANS = {"starter": {}}
    assert [each.id for each in check_settings() if "API_VERSION" in each.msg] == ["alguna_portal.E003"]
