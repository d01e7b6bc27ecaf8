"""Settings: right values are read as their types, and each mistake has one clear error, the same in the checks."""

import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import partial, wraps
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.checks import CheckMessage, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings
from pytest_django import Settings

from alguna_portal.access import allow_every_member, resolve_by_membership
from alguna_portal.conf import conf
from alguna_portal.conf.checks import IDS
from alguna_portal.conf.settings import Conf, Setting
from alguna_portal.portal_settings import PortalSettings

# Some of Django's own checks, which run along, ask the database.
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

GOOD = [
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

WRONG = [
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


def ours() -> list[CheckMessage]:
    """Return what our checks say, but for the cache, which is LocMem in nearly all tests."""
    found = [message for message in run_checks() if str(message.id).startswith("alguna_portal.")]
    return [message for message in found if message.id != "alguna_portal.W005"]


@pytest.fixture(autouse=True)
def _known_plans(settings: Settings) -> None:
    settings.ALGUNA_PORTAL_PLANS = {"starter": {}, "growth": {}, "enterprise": {}}


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items(), ids=DEFAULTS)
def test_unset_settings_have_the_documented_defaults(settings: Settings, name: str, value: object) -> None:
    """The README's table holds."""
    if hasattr(settings, f"ALGUNA_PORTAL_{name}"):
        delattr(settings, f"ALGUNA_PORTAL_{name}")
    assert getattr(conf, name) == value


@pytest.mark.parametrize(("name", "raw", "value"), GOOD)
def test_right_values_are_read_as_their_types(name: str, raw: object, value: object) -> None:
    """What a host may reasonably write is understood, afresh each time."""
    with override_settings(**{f"ALGUNA_PORTAL_{name}": raw}):
        assert getattr(conf, name) == value
        assert ours() == []


@pytest.mark.parametrize(("name", "raw", "text"), WRONG)
def test_wrong_values_are_named_with_the_remedy_and_checked(name: str, raw: object, text: str) -> None:
    """Use raises one `ImproperlyConfigured`, and `manage.py check` says the same under the setting's own id."""
    with override_settings(**{f"ALGUNA_PORTAL_{name}": raw}):
        with pytest.raises(ImproperlyConfigured) as caught:
            getattr(conf, name)
        said = str(caught.value)
        assert said.startswith(f"ALGUNA_PORTAL_{name}")
        assert text in said
        messages = [message for message in run_checks() if message.id == f"alguna_portal.{IDS[name]}"]
        assert [message.msg for message in messages] == [said]


def test_http_to_another_machine_passes_under_debug_only(settings: Settings) -> None:
    """A sandbox in the next container is fine during development."""
    settings.ALGUNA_PORTAL_API_URL = "http://sandbox:8000/sandbox"
    settings.DEBUG = True
    assert conf.API_URL == "http://sandbox:8000/sandbox"


@pytest.mark.parametrize("key", ["", None])
def test_a_missing_key_stops_the_first_use_and_only_warns_before(settings: Settings, key: str | None) -> None:
    """A project can be set up before it has a key, and hears about it."""
    settings.ALGUNA_PORTAL_API_KEY = key
    with pytest.raises(ImproperlyConfigured, match=r"ALGUNA_PORTAL_API_KEY is not set\. Create an API key") as caught:
        _ = conf.API_KEY
    assert [(message.id, message.msg) for message in ours()] == [("alguna_portal.W001", str(caught.value))]


def test_a_missing_site_is_named_when_links_need_it(settings: Settings) -> None:
    """Nobody who mails no links needs to set it."""
    del settings.ALGUNA_PORTAL_SITE_URL
    with pytest.raises(ImproperlyConfigured, match=r"ALGUNA_PORTAL_SITE_URL is not set\. Links in mails"):
        _ = conf.SITE_URL
    assert ours() == []


def test_no_error_shows_a_secret(settings: Settings) -> None:
    """A key with a stray space stays secret while it is complained about."""
    settings.ALGUNA_PORTAL_API_KEY = "key_1.hush hush"
    settings.ALGUNA_PORTAL_WEBHOOK_SECRETS = ["whsec_hush hush"]
    said = " ".join(message.msg for message in run_checks())
    assert "API_KEY" in said
    assert "WEBHOOK_SECRETS" in said
    assert "hush" not in said


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ALGUNA_PORTAL_API_KEYS", "Did you mean ALGUNA_PORTAL_API_KEY?"),
        ("ALGUNA_PORTAL_ZZZ", "Remove it, or look its name up in the documentation."),
    ],
)
def test_a_misspelt_setting_is_noticed(name: str, hint: str) -> None:
    """A setting that nobody reads would otherwise be a silent surprise."""
    with override_settings(**{name: 1}):
        found = [message for message in run_checks() if message.id == "alguna_portal.W002"]
    assert [(message.msg, message.hint) for message in found] == [(f"{name} is not a setting of alguna_portal.", hint)]


def test_encryption_without_its_library_is_an_error_that_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for an encrypted cache must not believe that they have one; whoever does not needs no library."""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    settings.ALGUNA_PORTAL_ENCRYPT_CACHE = False
    assert ours() == []
    settings.ALGUNA_PORTAL_ENCRYPT_CACHE = True
    with pytest.raises(ImproperlyConfigured) as caught:
        _ = conf.ENCRYPT_CACHE
    assert str(caught.value) == (
        "ALGUNA_PORTAL_ENCRYPT_CACHE needs cryptography, which is not installed: "
        'pip install "alguna_portal[encryption]".'
    )
    assert [(message.id, message.msg) for message in ours()] == [("alguna_portal.E015", str(caught.value))]


def test_a_wrong_plan_is_reported_once(settings: Settings) -> None:
    """Plan ids point at plans; a wrong plan is no second error there."""
    settings.ALGUNA_PORTAL_PLANS = {"pro": {"oops": {}}}
    settings.ALGUNA_PORTAL_PLAN_IDS = {"plan_1": "pro"}
    assert [message.id for message in ours()] == ["alguna_portal.E009"]


def test_plan_ids_need_plans(settings: Settings) -> None:
    """Where there are none, that is what is wrong, and not the name."""
    settings.ALGUNA_PORTAL_PLANS = {}
    settings.ALGUNA_PORTAL_PLAN_IDS = {"plan_1": "pro"}
    (found,) = ours()
    assert found.msg == "ALGUNA_PORTAL_PLAN_IDS names plans, but there are none in ALGUNA_PORTAL_PLANS."


@pytest.mark.parametrize("backend", ["dummy.DummyCache", "filebased.FileBasedCache", "locmem.LocMemCache"])
def test_a_cache_that_processes_cannot_share_is_warned_about_outside_debug(
    settings: Settings, tmp_path: Path, backend: str
) -> None:
    """There each process makes sessions of its own; during development that is fine."""
    shared = {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}
    alone = {"BACKEND": f"django.core.cache.backends.{backend}", "LOCATION": str(tmp_path)}
    settings.CACHES = {"default": shared, "alone": alone}
    assert not [message for message in run_checks() if message.id == "alguna_portal.W005"]
    settings.ALGUNA_PORTAL_CACHE = "alone"
    (found,) = [message for message in run_checks() if message.id == "alguna_portal.W005"]
    assert f"The cache “alone” is a {backend.partition('.')[2]}, which processes cannot share" in found.msg
    settings.DEBUG = True
    assert not [message for message in run_checks() if message.id == "alguna_portal.W005"]


class Hook:
    """A hook with state, which is an instance and not the class."""

    def __call__(self, request: Any) -> None:
        """Resolve nothing."""


class AsyncHook:
    """A hook whose instances are async."""

    async def __call__(self, request: Any) -> None:
        """Resolve nothing."""


def with_tenant(resolver: Any) -> Any:
    """Decorate a resolver that takes more than it is called with."""

    @wraps(resolver)
    def wrapped(request: Any) -> Any:
        return resolver(request, "tenant")

    return wrapped


async def async_resolver(request: Any) -> None:
    """Resolve without being waited for."""


def yielding(request: Any) -> Iterator[None]:
    """Resolve step by step."""
    yield None


async def async_yielding(request: Any) -> AsyncIterator[None]:
    """Resolve step by step, and without being waited for."""
    yield None


@pytest.mark.parametrize(
    ("name", "hook", "said"),
    [
        ("CUSTOMER_RESOLVER", lambda: None, "cannot be called with (request): too many positional arguments. Write it"),
        (
            "CUSTOMER_RESOLVER",
            lambda request, tenant: None,
            "missing a required argument: 'tenant'. Write it as “def c",
        ),
        ("CUSTOMER_RESOLVER", lambda *, request: None, "cannot be called with (request): too many positional"),
        ("CUSTOMER_RESOLVER", async_resolver, "is async, and is called without await. Write it with “def”"),
        ("CUSTOMER_RESOLVER", partial(async_resolver), "is async"),
        ("CUSTOMER_RESOLVER", AsyncHook(), "is async"),
        ("CUSTOMER_RESOLVER", async_yielding, "is async"),
        ("CUSTOMER_RESOLVER", sync_to_async(lambda request: None), "is async"),
        ("CUSTOMER_RESOLVER", yielding, "has a “yield”, so it answers with a generator. Return the answer"),
        ("CUSTOMER_RESOLVER", Hook, "is a class, and calling it only makes an instance. Name a function"),
        ("ACCESS_POLICY", lambda request, user, customer: True, "got an unexpected keyword argument 'role'. Write it"),
        (
            "ACCESS_POLICY",
            lambda request: True,
            "cannot be called with (request=…, user=…, customer=…, role=…): got an",
        ),
        ("ACCESS_POLICY", lambda *, account, **_: True, "argument: 'account'. Write it as “def may"),
        ("ACCESS_POLICY", lambda user, customer, role, request, /: True, "cannot be called with (request=…"),
        ("ACCESS_POLICY", AsyncHook(), "is async"),
    ],
)
def test_a_hook_that_a_click_could_not_call_is_found_at_start_up(name: str, hook: Any, said: str) -> None:
    """With its setting, what is wrong, and the remedy; a deployment hears of it, and not the first user."""
    with override_settings(**{f"ALGUNA_PORTAL_{name}": hook}):
        (found,) = ours()
    assert found.id == f"alguna_portal.{IDS[name]}"
    assert found.msg.startswith(f"ALGUNA_PORTAL_{name} ")
    assert said in found.msg


@pytest.mark.parametrize(
    ("name", "hook"),
    [
        ("CUSTOMER_RESOLVER", Hook()),
        ("CUSTOMER_RESOLVER", Hook().__call__),
        ("CUSTOMER_RESOLVER", lambda request, tenant=None: None),
        ("CUSTOMER_RESOLVER", lambda *args, **kwargs: None),
        ("CUSTOMER_RESOLVER", partial(lambda tenant, request: None, "tenant")),
        ("CUSTOMER_RESOLVER", with_tenant(lambda request, tenant: None)),
        ("CUSTOMER_RESOLVER", async_to_sync(async_resolver)),
        ("CUSTOMER_RESOLVER", next),
        ("CUSTOMER_RESOLVER", attrgetter("user.organization")),
        ("ACCESS_POLICY", lambda **_: True),
        ("ACCESS_POLICY", lambda role, customer, user, request: True),
        ("ACCESS_POLICY", lambda *, role, **_: True),
        ("ACCESS_POLICY", getattr),
    ],
)
def test_a_hook_that_can_be_called_or_may_be_passes(name: str, hook: Any) -> None:
    """A wrapper is judged by its own arguments, and what has no signature is not judged."""
    with override_settings(**{f"ALGUNA_PORTAL_{name}": hook}):
        assert ours() == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nowhere", "which cannot be imported: No module named 'nowhere'."),
        ("1 / 0", "whose import fails: ZeroDivisionError: division by zero"),
        ("def (", "whose import fails: SyntaxError: invalid syntax (broken_billing.py, line 1)"),
        (
            "from django.core.exceptions import ImproperlyConfigured\nraise ImproperlyConfigured('Set TENANT.')",
            "whose import fails: ImproperlyConfigured: Set TENANT.",
        ),
    ],
)
@pytest.mark.parametrize("name", ["CUSTOMER_RESOLVER", "ACCESS_POLICY"])
def test_a_module_that_fails_when_it_is_imported_is_an_error_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str, said: str
) -> None:
    """Whatever the host's module raises, the check names the setting, the path and the reason."""
    (tmp_path / "broken_billing.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with override_settings(**{f"ALGUNA_PORTAL_{name}": "broken_billing.hook"}):
        (found,) = ours()
    assert found.id == f"alguna_portal.{IDS[name]}"
    assert found.msg == f"ALGUNA_PORTAL_{name} names “broken_billing.hook”, {said}"


def test_templates_that_do_not_know_the_request_are_noticed(settings: Settings) -> None:
    """The button would show nothing, and nobody would know why."""
    (templates,) = settings.TEMPLATES
    settings.TEMPLATES = [{**templates, "OPTIONS": {"context_processors": []}}]
    assert [message.id for message in ours()] == ["alguna_portal.W004"]


def test_the_check_command_fails_on_a_wrong_setting(settings: Settings) -> None:
    """`manage.py check` is where a deployment hears of it."""
    settings.DEBUG = True
    settings.ALGUNA_PORTAL_SESSION_REUSE = "everyone"
    with pytest.raises(SystemCheckError, match=r"alguna_portal\.E011"):
        call_command("check")


def test_every_setting_has_a_property_and_a_check_id() -> None:
    """No setting can be added without an id, and no id is used twice."""
    properties: dict[str, Any] = {name: value for name, value in vars(Conf).items() if isinstance(value, Setting)}
    assert set(properties) == set(IDS)
    assert len(set(IDS.values())) == len(IDS)
