"""The settings whose names begin with `ALGUNA_PORTAL_`: one property each, read afresh every time.

A property returns a value of its type, or raises `ImproperlyConfigured` with a text that names the setting
and the remedy. Nothing is read at import and nothing is remembered, so `override_settings` works, and so
does a settings file that computes its values.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.utils.functional import empty

from . import legacy
from . import setting_addresses as addresses
from . import setting_secrets as secrets
from . import setting_types as types
from .portal_settings import PortalSettings
from .roles import Role

PREFIX = "ALGUNA_PORTAL_"

T = TypeVar("T")


def _raw(name: str, default: object) -> Any:
    # From what stands behind `settings`: asked itself, it takes as long to say of eight settings that they are not
    # there as a third of all else that a cached click does here. Nothing is remembered either way.
    behind = object.__getattribute__(settings, "_wrapped")
    return getattr(settings if behind is empty else behind, PREFIX + name, default)


def _read(name: str, default: object, read: Callable[[str, object], T]) -> T:
    return read(PREFIX + name, _raw(name, default))


def _required(name: str, remedy: str, read: Callable[[str, object], T]) -> T:
    raw = _raw(name, None)
    if raw in (None, ""):
        raise types.wrong(PREFIX + name, f"is not set. {remedy}")
    return read(PREFIX + name, raw)


class Conf:
    """The settings of alguna_portal; use the instance `conf`."""

    # The account at Alguna, and how it is called

    @property
    def API_KEY(self) -> str:
        """The secret key, `<key_id>.<key_secret>`."""
        remedy = "Create an API key in Alguna's dashboard and set it, from the environment rather than in code."
        return _required("API_KEY", remedy, secrets.secret)

    @property
    def API_URL(self) -> str:
        """Where the API answers, without a slash at the end; `https://api.sandbox.alguna.io` is Alguna's sandbox."""
        return _read("API_URL", "https://api.alguna.io", addresses.api_url)

    @property
    def API_VERSION(self) -> str:
        """What the header `Alguna-Version` says; `legacy` speaks the earlier API, which has no such header."""
        return _read("API_VERSION", "2026-04-01", types.one_of("2026-04-01", legacy.VERSION))

    @property
    def TIMEOUT(self) -> tuple[float, float]:
        """How long one attempt waits for a connection, then for each part of the answer, in seconds."""
        return _read("TIMEOUT", (3.05, 8), types.timeout)

    @property
    def TIME_BUDGET(self) -> float:
        """How long a call may take with all its retries, in seconds."""
        return _read("TIME_BUDGET", 12, types.seconds)

    @property
    def RETRIES(self) -> int:
        """How often a call that failed in passing is sent again."""
        return _read("RETRIES", 2, types.whole_number)

    @property
    def URL_HOSTS(self) -> list[str]:
        """The hosts that users may be sent to; a leading dot means every subdomain."""
        return _read("URL_HOSTS", ["alguna.io", ".alguna.io", ".alguna.app", ".alguna.site"], addresses.hosts)

    # What the portal shows and allows

    @property
    def DEFAULTS(self) -> PortalSettings:
        """The portal settings of every customer."""
        return _read("DEFAULTS", {}, self._speakable(types.portal_settings))

    @property
    def PLANS(self) -> dict[str, PortalSettings]:
        """The portal settings of each plan, laid over the defaults."""
        return _read("PLANS", {}, types.plans(self._speakable(types.portal_settings)))

    def plan(self, name: str) -> PortalSettings | None:
        """The portal settings of one of the `PLANS`, without reading the others; None where it is not among them."""
        mapping = _read("PLANS", {}, types.mapping_to("portal settings"))
        if name not in mapping:
            return None
        return self._speakable(types.portal_settings)(f"{PREFIX}PLANS[{name!r}]", mapping[name])

    @property
    def PLAN_IDS(self) -> dict[str, str]:
        """The local plan of each of Alguna's plan ids."""
        return _read("PLAN_IDS", {}, types.plan_ids(self.PLANS))

    def _speakable(self, read: Callable[[str, object], PortalSettings]) -> Callable[[str, object], PortalSettings]:
        """Read portal settings, and refuse those that the API in use has no words for."""

        def read_speakable(name: str, raw: object) -> PortalSettings:
            settings = read(name, raw)
            if (missing := legacy.missing_fields(settings)) and self.API_VERSION == legacy.VERSION:
                raise types.wrong(name, f"is not right. {' '.join(missing)}")
            return settings

        return read_speakable

    # Sessions and their cache

    @property
    def SESSION_REUSE(self) -> str:
        """Who gets a cached session back: `user`, `browser`, `customer` or `never`."""
        return _read("SESSION_REUSE", "user", types.one_of("user", "browser", "customer", "never"))

    @property
    def SESSION_SECONDS(self) -> float:
        """How long a session lives where the API does not say, in seconds."""
        return _read("SESSION_SECONDS", 300, types.seconds)

    @property
    def EXPIRY_MARGIN(self) -> float:
        """How long before its end a session is no longer given out, in seconds."""
        return _read("EXPIRY_MARGIN", 60, types.margin)

    @property
    def CACHE(self) -> str:
        """The cache that holds the sessions, one of `CACHES`."""
        return _read("CACHE", "default", types.cache_alias)

    @property
    def ENCRYPT_CACHE(self) -> bool:
        """Whether cached sessions are encrypted, under keys from `SECRET_KEY`."""
        return _read("ENCRYPT_CACHE", False, types.use_of_extra("encryption", "cryptography"))

    # Who may open what

    @property
    def CUSTOMER_RESOLVER(self) -> Callable[..., Any]:
        """The callable that says which customer a request is about: `access.by_membership` or the host's."""
        return _read("CUSTOMER_RESOLVER", "alguna_portal.access.by_membership", types.hook)

    @property
    def ACCESS_POLICY(self) -> Callable[..., Any]:
        """The callable that may refuse: `access.every_member` or the host's."""
        return _read("ACCESS_POLICY", "alguna_portal.access.every_member", types.hook)

    @property
    def PROVISION_ON_OPEN(self) -> bool:
        """Whether a customer that Alguna does not know is created there on the first click."""
        return _read("PROVISION_ON_OPEN", False, types.boolean)

    @property
    def AUDIT(self) -> bool:
        """Whether each click is recorded as a `PortalAccess`."""
        return _read("AUDIT", True, types.boolean)

    # Links, pages, webhooks

    @property
    def LINK_MAX_AGE(self) -> timedelta:
        """How long a mailed link works: a `timedelta`, or seconds."""
        return _read("LINK_MAX_AGE", timedelta(days=7), types.duration)

    @property
    def LINK_ROLE(self) -> str:
        """The role in which a mailed link opens the portal."""
        return _read("LINK_ROLE", Role.MANAGER.value, types.one_of(*Role.values))

    @property
    def LINK_MAX_USES(self) -> int | None:
        """How often a mailed link opens the portal; None for as often as one likes until it expires."""
        return _read("LINK_MAX_USES", None, types.limit)

    @property
    def SITE_URL(self) -> str:
        """The origin that mailed links begin with; never taken from a request's Host."""
        remedy = "Links in mails begin with it: set it to your site's origin, such as https://app.example.com."
        return _required("SITE_URL", remedy, addresses.site_url)

    @property
    def SUPPORT_CONTACT(self) -> str:
        """The address or URL that the error pages show."""
        return _read("SUPPORT_CONTACT", "", addresses.contact)

    @property
    def WEBHOOK_SECRETS(self) -> list[str]:
        """The signing secrets of the webhook endpoint; several while one is being replaced."""
        return _read("WEBHOOK_SECRETS", [], secrets.signing_secrets)

    @property
    def USE_TASKS(self) -> bool:
        """Whether mails and provisioning go through Django's tasks framework, or django-tasks before Django 6."""
        return _read("USE_TASKS", False, types.use_of("django.tasks", "django_tasks"))


conf = Conf()
