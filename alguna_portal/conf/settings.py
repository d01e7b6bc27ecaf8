"""Settings whose names begin with `ALGUNA_PORTAL_`, as attributes of `conf`.

An attribute returns a value of its type, or raises `ImproperlyConfigured` with a text that names the setting and the
remedy. Nothing is read at import. A value that can't be changed in place is parsed once: it's parsed again if the
setting holds another object, or if Django sends `setting_changed`, as `override_settings` does. Other values, such as
dicts, are parsed on each access.
"""

from collections.abc import Callable, Mapping
from copy import copy
from datetime import timedelta
from functools import partial
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.functional import empty
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables

from alguna_portal.portal_settings import LEGACY_API_VERSION, PortalSettings, find_legacy_problems
from alguna_portal.roles import Role

from . import addresses, types

PREFIX = "ALGUNA_PORTAL_"

T = TypeVar("T")

# Classes whose instances can't be changed in place.
IMMUTABLE = (str, int, float, timedelta, type(None))
_NOT_PARSED: tuple[object, bool, Any] = (object(), False, None)


class Setting(Generic[T]):
    """A setting with the id of its system check, its default, and the function that parses and validates it.

    A setting with a `remedy` has no default: it must be set before it is used, and the remedy says to what.
    """

    def __init__(self, check: str, default: object, parse: Callable[[str, object], T], *, remedy: str = "") -> None:
        self.check = check
        self.default = default
        self.parse = parse
        self.remedy = remedy
        # The last immutable value in the settings file, or the default, with what it was parsed to.
        self._parsed = _NOT_PARSED
        setting_changed.connect(self._forget)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = PREFIX + name

    def __get__(self, instance: object, owner: type | None = None) -> T:
        # Read once: another thread may replace it.
        parsed: tuple[object, bool, T] = self._parsed
        if parsed[0] is not self.get_raw() or parsed[1] is not settings.DEBUG:
            # Error reports show local variables, and some settings are secrets.
            del parsed
            parsed = self._parse()
        # Callers must not share a default that is a list or a dict.
        return copy(parsed[2]) if isinstance(parsed[2], list | dict) else parsed[2]

    @sensitive_variables()
    def _parse(self) -> tuple[object, bool, T]:
        raw = self.get_raw()
        if self.remedy and raw in (None, ""):
            raise types.invalid_setting(self.name, f"is not set. {self.remedy}")
        # With DEBUG, http URLs are accepted. It can be assigned without sending the signal.
        parsed = (raw, settings.DEBUG, self.parse(self.name, raw))
        if raw is self.default or isinstance(raw, IMMUTABLE):
            self._parsed = parsed
        return parsed

    def _forget(self, **_: Any) -> None:
        self._parsed = _NOT_PARSED

    def get_raw(self) -> Any:
        """Return the value in the settings file, or the default."""
        # `settings` itself is slow for names that are missing, and a cached click reads eight of them.
        source = object.__getattribute__(settings, "_wrapped")
        return getattr(settings if source is empty else source, self.name, self.default)


class HookSetting(Setting[Callable[..., Any]]):
    """A callable or its dotted path. It's imported on each access, so that tests can patch it."""

    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., Any]:
        return self.parse(self.name, self.get_raw())


def _parse_hook(name: str, raw: object) -> Callable[..., Any]:
    target = raw
    if isinstance(raw, str):
        try:
            target = import_string(raw)
        except ImportError as exc:
            raise types.invalid_setting(name, f"names “{raw}”, which cannot be imported: {exc}.") from exc
    if not callable(target):
        raise types.invalid_setting(name, "must be the dotted path of a callable.")
    return target


# Parsers that also read other settings


def _parse_portal_settings(name: str, raw: object) -> PortalSettings:
    """Parse portal settings in the API's own keys; reject fields that the configured API version doesn't have."""
    portal_settings, problems = PortalSettings.parse_leniently(raw)
    # The version is read only if it matters, so that an invalid one is reported once, under its own name.
    if not problems and (missing := find_legacy_problems(portal_settings)) and conf.API_VERSION == LEGACY_API_VERSION:
        problems = missing
    if problems:
        raise types.invalid_setting(name, f"is not right. {' '.join(problems)}")
    return portal_settings


def _parse_mapping(name: str, raw: object, *, values: str) -> Mapping[str, Any]:
    """Parse a mapping whose keys are non-empty strings. `values` describes its values, which aren't checked."""
    if not isinstance(raw, Mapping):
        raise types.invalid_setting(name, f"must be a mapping from a name to {values}.")
    if not all(isinstance(key, str) and key for key in raw):
        raise types.invalid_setting(name, "has a key that is empty or not a string.")
    return raw


def _parse_plans(name: str, raw: object) -> dict[str, PortalSettings]:
    mapping = _parse_mapping(name, raw, values="portal settings")
    return {plan: _parse_portal_settings(f"{name}[{plan!r}]", each) for plan, each in mapping.items()}


def _parse_plan_ids(name: str, raw: object) -> dict[str, str]:
    plans = tuple(conf.PLANS)
    mapping = _parse_mapping(name, raw, values="a plan in ALGUNA_PORTAL_PLANS")
    if mapping and not plans:
        raise types.invalid_setting(name, "names plans, but there are none in ALGUNA_PORTAL_PLANS.")
    return {key: types.parse_choice(f"{name}[{key!r}]", plan, choices=plans) for key, plan in mapping.items()}


class Conf:
    """The settings of alguna_portal; use the instance `conf`."""

    __slots__ = ()

    # Connection to Alguna

    API_KEY = Setting(
        "E001",
        None,
        types.parse_secret,
        remedy="Create an API key in Alguna's dashboard and set it, from the environment rather than in code.",
    )
    """The secret API key, `<key_id>.<key_secret>`.

    Read it from the environment and don't store it in code. Each key belongs to one account. After a change of the key,
    sessions that were cached with the old key aren't used any more.
    """

    API_URL = Setting("E002", "https://api.alguna.io", addresses.parse_url)
    """The base URL of the API.

    `https://api.sandbox.alguna.io` is Alguna's sandbox, which has its own keys. The URL must be https, except with
    `DEBUG` or for a loopback host.
    """

    API_VERSION = Setting("E003", "2026-04-01", partial(types.parse_choice, choices=("2026-04-01", LEGACY_API_VERSION)))
    """The API version, sent as the header `Alguna-Version`; `"legacy"` uses the portal guide's earlier API.

    The earlier API can't forbid edits of billing details, so viewers don't see that section. It has fewer portal
    settings: the others are rejected in `DEFAULTS`, `PLANS` and the admin.
    """

    TIMEOUT = Setting("E004", (3.05, 8), types.parse_timeout)
    """The timeouts of one attempt in seconds: for the connection, and for each read.

    A single number is used for both.
    """

    TIME_BUDGET = Setting("E005", 12, types.parse_seconds)
    """The longest time in seconds that a call may take, including all waits and retries.

    The limit holds even if the server sends data slowly. Requests that wait for another request's call wait no longer
    than this either.
    """

    RETRIES = Setting("E006", 2, types.parse_whole_number)
    """The number of retries after a temporary failure: no connection, a timeout, 408, 429 or 5xx.

    All attempts use the same idempotency key and end within the time budget.
    """

    URL_HOSTS = Setting("E007", ["alguna.io", ".alguna.io", ".alguna.app", ".alguna.site"], addresses.parse_hosts)
    """The hosts that users may be redirected to; a leading dot allows all subdomains.

    Your list replaces the default: add your portal's own domain to it. Sessions on other hosts are rejected with
    `UnsafePortalURL`. Write hosts without a scheme and without a port.
    """

    # Portal settings

    DEFAULTS = Setting("E008", {}, _parse_portal_settings)
    """The portal settings of every customer, in the API's own keys.

    For fields that you leave out, your organization's defaults in Alguna apply.
    """

    PLANS = Setting("E009", {}, _parse_plans)
    """The portal settings of each plan, merged over the defaults: a mapping from plan names to portal settings.

    `Customer.plan` contains one of these names. If a customer's plan isn't listed, every `allow_*` is off.
    """

    PLAN_IDS = Setting("E010", {}, _parse_plan_ids)
    """The local plan for each of Alguna's plan ids; webhooks and `alguna_sync` update `Customer.plan` from it.

    Each plan must be in `PLANS`. If a customer has several active subscriptions, the plan that comes first in this
    mapping is used.
    """

    # Sessions and their cache

    SESSION_REUSE = Setting(
        "E011", "user", partial(types.parse_choice, choices=("user", "browser", "customer", "never"))
    )
    """The scope in which cached sessions are reused: `"user"`, `"browser"`, `"customer"` or `"never"`.

    `"user"` reuses a session for the same user, `"browser"` for the same login session, `"customer"` for all users of
    the customer with the same role. Mailed links don't reuse sessions, except with `"customer"`.
    """

    SESSION_SECONDS = Setting("E012", 300, types.parse_seconds)
    """The assumed lifetime in seconds of a session for which the API returns none: with the API version `"legacy"`."""

    EXPIRY_MARGIN = Setting("E013", 60, types.parse_margin)
    """The time in seconds before its expiry from which a cached session isn't reused.

    If no new session can be created, the cached one is used until it expires.
    """

    CACHE = Setting("E014", "default", types.parse_cache_alias)
    """The cache for the sessions, one of `CACHES`.

    All processes should share it: the circuit breaker and the lock against simultaneous calls are in it, too.
    """

    ENCRYPT_CACHE = Setting("E015", False, types.parse_encryption)
    """Whether cached sessions are encrypted, with keys from `SECRET_KEY`; needs the extra `encryption`.

    Sessions that were encrypted with one of `SECRET_KEY_FALLBACKS` can still be read. If you change this setting, each
    user gets one new session.
    """

    # Access and provisioning

    CUSTOMER_RESOLVER = HookSetting("E016", "alguna_portal.access.resolve_by_membership", _parse_hook)
    """The function, or its dotted path, that returns the customers of a request; the built-in one uses memberships.

    It takes the request and returns an `Access`, a `Customer`, a list of these, or None. It must be synchronous.
    """

    ACCESS_POLICY = HookSetting("E017", "alguna_portal.access.allow_every_member", _parse_hook)
    """The function, or its dotted path, that can deny access to a customer that the resolver returned.

    It takes the keyword arguments `request`, `user`, `customer` and `role`. Only the return value True allows access.
    The built-in one denies access to staff who impersonate a user. It must be synchronous.
    """

    PROVISION_ON_OPEN = Setting("E018", False, types.parse_bool)
    """Whether a customer that is missing in Alguna is created there when their portal is first opened.

    The customer needs a name and a currency. If this is off, such a click is an error, so a mistyped alias doesn't
    create a customer.
    """

    AUDIT = Setting("E025", True, types.parse_bool)
    """Whether each click is recorded as a `PortalAccess`; signals are sent and log lines are written in any case."""

    # Links, pages and webhooks

    LINK_MAX_AGE = Setting("E019", timedelta(days=7), types.parse_duration)
    """The time until a mailed link expires: a `timedelta` or a number of seconds."""

    LINK_ROLE = Setting("E020", Role.MANAGER.value, partial(types.parse_choice, choices=tuple(Role.values)))
    """The role of mailed links, `"manager"` or `"viewer"`, unless the sender selects one."""

    LINK_MAX_USES = Setting("E026", None, types.parse_limit)
    """How often a mailed link can be used; None for no limit until it expires."""

    SITE_URL = Setting(
        "E021",
        None,
        addresses.parse_site_url,
        remedy="Links in mails begin with it: set it to your site's origin, such as https://app.example.com.",
    )
    """The origin of your site for mailed links, such as `https://app.example.com`; required only for these links.

    It is never taken from a request. It has no path: links contain the path of `alguna_portal.urls` in your URLs.
    """

    SUPPORT_CONTACT = Setting("E022", "", addresses.parse_contact)
    """The support contact on error pages and in emails: an email address, a URL or a path such as `/help/`.

    If it is empty, they don't name a contact.
    """

    WEBHOOK_SECRETS = Setting("E023", [], types.parse_signing_secrets)
    """The signing secrets of your webhook endpoint, `whsec_…`; a list, so that you can replace one without downtime.

    If the list is empty, the webhook URL returns 404.
    """

    USE_TASKS = Setting("E024", False, types.parse_use_tasks)
    """Whether background workers send emails, process webhooks and create customers from the admin.

    They use Django's tasks framework, or django-tasks before Django 6.
    """

    def plan(self, name: str) -> PortalSettings | None:
        """Return the portal settings of one plan without parsing the others; None if `PLANS` doesn't have it."""
        setting = SETTINGS["PLANS"]
        mapping = _parse_mapping(setting.name, setting.get_raw(), values="portal settings")
        return _parse_portal_settings(f"{setting.name}[{name!r}]", mapping[name]) if name in mapping else None


SETTINGS: dict[str, Setting[Any]] = {name: each for name, each in vars(Conf).items() if isinstance(each, Setting)}

conf = Conf()
