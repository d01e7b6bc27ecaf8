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
from django.views.decorators.debug import sensitive_variables

from alguna_portal.portal_settings import LEGACY_API_VERSION, PortalSettings, find_unsupported_fields
from alguna_portal.roles import Role

from . import addresses as addresses
from . import types as secrets
from . import types as types

PREFIX = "ALGUNA_PORTAL_"

T = TypeVar("T")


def _raw(name: str, default: object) -> Any:
    # From what stands behind `settings`: asked itself, it takes as long to say of eight settings that they are not
    # there as a third of all else that a cached click does here. Nothing is remembered either way.
    behind = object.__getattribute__(settings, "_wrapped")
    return getattr(settings if behind is empty else behind, PREFIX + name, default)


def _read(name: str, default: object, read: Callable[[str, object], T]) -> T:
    return read(PREFIX + name, _raw(name, default))


@sensitive_variables("raw")  # the key
def _required(name: str, remedy: str, read: Callable[[str, object], T]) -> T:
    raw = _raw(name, None)
    if raw in (None, ""):
        raise types.invalid_setting(PREFIX + name, f"is not set. {remedy}")
    return read(PREFIX + name, raw)


class Conf:
    """The settings of alguna_portal; use the instance `conf`."""

    # The account at Alguna, and how it is called

    @property
    def API_KEY(self) -> str:
        """The secret key, `<key_id>.<key_secret>`.

        Take it from the environment, not from code. One key is one account: sessions cached under another are not met.
        """
        remedy = "Create an API key in Alguna's dashboard and set it, from the environment rather than in code."
        return _required("API_KEY", remedy, secrets.secret)

    @property
    def API_URL(self) -> str:
        """Where the API answers, without a slash at the end.

        `https://api.sandbox.alguna.io` is Alguna's sandbox, which has keys of its own. http passes under DEBUG, and
        for this very machine.
        """
        return _read("API_URL", "https://api.alguna.io", addresses.api_url)

    @property
    def API_VERSION(self) -> str:
        """What the header `Alguna-Version` says; `"legacy"` speaks the earlier API, which has no such header.

        The earlier API cannot forbid edits of billing details, so viewers do not see them there. It knows fewer portal
        settings, and those that it lacks are refused in `DEFAULTS`, `PLANS` and the admin.
        """
        return _read("API_VERSION", "2026-04-01", types.one_of("2026-04-01", LEGACY_API_VERSION))

    @property
    def TIMEOUT(self) -> tuple[float, float]:
        """How long one attempt waits for a connection, then for each part of the answer, in seconds.

        A single number stands for both.
        """
        return _read("TIMEOUT", (3.05, 8), types.timeout)

    @property
    def TIME_BUDGET(self) -> float:
        """How long a call may take with all its waits and retries, in seconds.

        It holds whatever the other side does. Whoever waits for somebody else's call waits no longer than this, either.
        """
        return _read("TIME_BUDGET", 12, types.seconds)

    @property
    def RETRIES(self) -> int:
        """How often a call that failed in passing is sent again: no connection, a timeout, 408, 429 or 5xx.

        All attempts have one idempotency key, and end within the budget.
        """
        return _read("RETRIES", 2, types.whole_number)

    @property
    def URL_HOSTS(self) -> list[str]:
        """The hosts that users may be sent to; a leading dot means every subdomain.

        What you set replaces the default: add your portal's own domain to it. A session elsewhere is refused, as
        `UnsafePortalURL`. Write hosts without a port and without https.
        """
        return _read("URL_HOSTS", ["alguna.io", ".alguna.io", ".alguna.app", ".alguna.site"], addresses.hosts)

    # What the portal shows and allows

    @property
    def DEFAULTS(self) -> PortalSettings:
        """The portal settings of every customer, in the API's own keys.

        What is left out is left to your organization's defaults in Alguna.
        """
        return _read("DEFAULTS", {}, self._speakable(types.portal_settings))

    @property
    def PLANS(self) -> dict[str, PortalSettings]:
        """The portal settings of each plan, laid over the defaults: a mapping from the plan's name to portal settings.

        `Customer.plan` names one. A plan that is not here allows nothing: every `allow_*` is off.
        """
        return _read("PLANS", {}, types.plans(self._speakable(types.portal_settings)))

    def plan(self, name: str) -> PortalSettings | None:
        """The portal settings of one of the `PLANS`, without reading the others; None where it is not among them."""
        mapping = _read("PLANS", {}, types.mapping_to("portal settings"))
        if name not in mapping:
            return None
        return self._speakable(types.portal_settings)(f"{PREFIX}PLANS[{name!r}]", mapping[name])

    @property
    def PLAN_IDS(self) -> dict[str, str]:
        """The local plan of each of Alguna's plan ids; webhooks and `alguna_sync` keep `Customer.plan` current.

        Each is one of `PLANS`. Where several subscriptions are active, the plan that comes first here counts.
        """
        return _read("PLAN_IDS", {}, types.plan_ids(self.PLANS))

    def _speakable(self, read: Callable[[str, object], PortalSettings]) -> Callable[[str, object], PortalSettings]:
        """Read portal settings, and refuse those that the API in use has no words for."""

        def read_speakable(name: str, raw: object) -> PortalSettings:
            settings = read(name, raw)
            if missing := find_unsupported_fields(settings, self.API_VERSION):
                raise types.invalid_setting(name, f"is not right. {' '.join(missing)}")
            return settings

        return read_speakable

    # Sessions and their cache

    @property
    def SESSION_REUSE(self) -> str:
        """Who gets a cached session back: `"user"`, `"browser"`, `"customer"` or `"never"`.

        `"user"` is the user it was made for; `"browser"` the same login session; `"customer"` anybody at the customer
        in the same role; `"never"` nobody. A mailed link reuses none, except under `"customer"`.
        """
        return _read("SESSION_REUSE", "user", types.one_of("user", "browser", "customer", "never"))

    @property
    def SESSION_SECONDS(self) -> float:
        """How long a session is taken to live where the answer does not say, in seconds: with the API `"legacy"`."""
        return _read("SESSION_SECONDS", 300, types.seconds)

    @property
    def EXPIRY_MARGIN(self) -> float:
        """How long before its end a session is no longer given out, in seconds.

        While no new one is to be had, it is given out to its end.
        """
        return _read("EXPIRY_MARGIN", 60, types.margin)

    @property
    def CACHE(self) -> str:
        """The cache that holds the sessions, one of `CACHES`.

        Share it between your processes: they also learn there that Alguna is down, and leave each other's calls alone.
        """
        return _read("CACHE", "default", types.cache_alias)

    @property
    def ENCRYPT_CACHE(self) -> bool:
        """Whether cached sessions are encrypted, under keys from `SECRET_KEY`; needs the extra `encryption`.

        What was encrypted under one of `SECRET_KEY_FALLBACKS` is still read. Turning it on or off costs each user one
        new session.
        """
        return _read("ENCRYPT_CACHE", False, types.use_of_extra("encryption", "cryptography"))

    # Who may open what

    @property
    def CUSTOMER_RESOLVER(self) -> Callable[..., Any]:
        """The callable, or its dotted path, that says which customer a request is about; by default from memberships.

        It takes the request, and returns an `Access`, a `Customer`, a list of these, or None. It is a plain function.
        """
        return _read("CUSTOMER_RESOLVER", "alguna_portal.access.resolve_by_membership", types.hook)

    @property
    def ACCESS_POLICY(self) -> Callable[..., Any]:
        """The callable, or its dotted path, that may refuse; by default it lets in whom the resolver lets in.

        It takes the keywords `request`, `user`, `customer` and `role`, and whatever it returns but True is a refusal.
        The built-in one refuses staff who act as a user. It is a plain function.
        """
        return _read("ACCESS_POLICY", "alguna_portal.access.allow_every_member", types.hook)

    @property
    def PROVISION_ON_OPEN(self) -> bool:
        """Whether a customer that Alguna does not know is created there when its portal is first opened.

        It needs a name and a currency for that. Off, such a click is an error: a mistyped alias makes no customer.
        """
        return _read("PROVISION_ON_OPEN", False, types.boolean)

    @property
    def AUDIT(self) -> bool:
        """Whether each click is recorded as a `PortalAccess`; signals and log lines come either way."""
        return _read("AUDIT", True, types.boolean)

    # Links, pages, webhooks

    @property
    def LINK_MAX_AGE(self) -> timedelta:
        """How long a mailed link works: a `timedelta`, or seconds."""
        return _read("LINK_MAX_AGE", timedelta(days=7), types.duration)

    @property
    def LINK_ROLE(self) -> str:
        """The role in which a mailed link opens the portal, unless its sender chooses: `"manager"` or `"viewer"`."""
        return _read("LINK_ROLE", Role.MANAGER.value, types.one_of(*Role.values))

    @property
    def LINK_MAX_USES(self) -> int | None:
        """How often a mailed link opens the portal; None for as often as one likes until it expires."""
        return _read("LINK_MAX_USES", None, types.limit)

    @property
    def SITE_URL(self) -> str:
        """Your site's origin, such as `https://app.example.com`, which mailed links begin with; needed for these alone.

        It is never taken from a request, and has no path: that is the one of `alguna_portal.urls` in your URLs.
        """
        remedy = "Links in mails begin with it: set it to your site's origin, such as https://app.example.com."
        return _required("SITE_URL", remedy, addresses.site_url)

    @property
    def SUPPORT_CONTACT(self) -> str:
        """What the pages show that say that something went wrong: an address, a URL or a path such as `/help/`.

        Mails with links show it, too. Empty, nobody is named.
        """
        return _read("SUPPORT_CONTACT", "", addresses.contact)

    @property
    def WEBHOOK_SECRETS(self) -> list[str]:
        """The signing secrets of your webhook endpoint, `whsec_…`; several while one is being replaced.

        Without one, the webhook's address answers 404.
        """
        return _read("WEBHOOK_SECRETS", [], secrets.signing_secrets)

    @property
    def USE_TASKS(self) -> bool:
        """Whether mails, webhooks, and customers created from the admin are left to workers.

        They go through Django's tasks framework, or through django-tasks before Django 6.
        """
        return _read("USE_TASKS", False, types.use_of("django.tasks", "django_tasks"))


conf = Conf()
