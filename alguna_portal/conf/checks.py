"""System checks: what is wrong with the settings, said at `manage.py check` in the words of `conf`.

alguna_portal.E001 …    a setting is wrong; one id for each, listed in `IDS`
alguna_portal.W001      no API key: everything works until the first click
alguna_portal.W002      a setting's name is not one of ours
alguna_portal.W004      templates do not know the request, so the button never shows
alguna_portal.W005      the cache is not one that processes share
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  (Django's name)
from django.core.exceptions import ImproperlyConfigured

from .settings import PREFIX, conf

# --- from alguna_portal.conf.hooks


@dataclass(frozen=True, kw_only=True)
class Call:
    """How a hook is called: with these arguments by position, then with these keywords."""

    positional: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    shown: str
    remedy: str


CALLS = {
    "CUSTOMER_RESOLVER": Call(
        positional=("request",),
        shown="(request)",
        remedy="Write it as “def customer_of(request):”.",
    ),
    "ACCESS_POLICY": Call(
        keywords=("request", "user", "customer", "role"),
        shown="(request=…, user=…, customer=…, role=…)",
        remedy="Write it as “def may_open(*, request, user, customer, role):”; “**_” takes those it does not use.",
    ),
}


def fault(hook: Callable[..., Any], call: Call) -> str | None:
    """Say what is wrong with a hook, and the remedy; None where nothing can be seen to be."""
    if inspect.isclass(hook):
        return "is a class, and calling it only makes an instance. Name a function, or an instance that has __call__."
    if _is(iscoroutinefunction, hook) or _is(inspect.isasyncgenfunction, hook):
        return "is async, and is called without await. Write it with “def”, or wrap it in asgiref's async_to_sync."
    if _is(inspect.isgeneratorfunction, hook):
        return "has a “yield”, so it answers with a generator. Return the answer instead."
    try:
        # Not what a decorator wraps: the wrapper is called, and may well add arguments of its own.
        signature = inspect.signature(hook, follow_wrapped=False)
    except (TypeError, ValueError):
        return None  # written in C: only a call can tell
    try:
        signature.bind(*call.positional, **dict.fromkeys(call.keywords))
    except TypeError as exc:
        return f"cannot be called with {call.shown}: {exc}. {call.remedy}"
    return None


def _is(kind: Callable[[Any], bool], hook: Callable[..., Any]) -> bool:
    """Say whether a function, or an instance's `__call__`, is of a kind."""
    return kind(hook) or kind(type(hook).__call__)


# Ids are stable: hosts silence them by name. A setting that goes takes its id with it; new ones come last. So do the
# warnings: W003, a setting without effect so far, is not given out again.
IDS = {
    "API_KEY": "E001",
    "API_URL": "E002",
    "API_VERSION": "E003",
    "TIMEOUT": "E004",
    "TIME_BUDGET": "E005",
    "RETRIES": "E006",
    "URL_HOSTS": "E007",
    "DEFAULTS": "E008",
    "PLANS": "E009",
    "PLAN_IDS": "E010",
    "SESSION_REUSE": "E011",
    "SESSION_SECONDS": "E012",
    "EXPIRY_MARGIN": "E013",
    "CACHE": "E014",
    "ENCRYPT_CACHE": "E015",
    "CUSTOMER_RESOLVER": "E016",
    "ACCESS_POLICY": "E017",
    "PROVISION_ON_OPEN": "E018",
    "LINK_MAX_AGE": "E019",
    "LINK_ROLE": "E020",
    "SITE_URL": "E021",
    "SUPPORT_CONTACT": "E022",
    "WEBHOOK_SECRETS": "E023",
    "USE_TASKS": "E024",
    "AUDIT": "E025",
    "LINK_MAX_USES": "E026",
}
# Needed on first use only, so that a project can be set up before it has them.
REQUIRED_ON_USE = ("API_KEY", "SITE_URL")


def check_settings(**_: Any) -> list[CheckMessage]:
    """Report every setting of ours that is wrong, missing or misspelt."""
    return [
        *_wrong(),
        *_uncallable(),
        *_missing(),
        *_misspelt(),
        *_without_request(),
        *_unshared_cache(),
    ]


def _wrong() -> Iterator[CheckMessage]:
    for name, number in IDS.items():
        if name in CALLS or (name in REQUIRED_ON_USE and not getattr(settings, PREFIX + name, "")):
            continue
        try:
            getattr(conf, name)
        except ImproperlyConfigured as exc:
            # A wrong plan makes the mapping of plan ids unreadable too: say it once, where it is.
            if name == "PLAN_IDS" and not str(exc).startswith(PREFIX + name):
                continue
            yield Error(str(exc), id=f"alguna_portal.{number}")


def _uncallable() -> Iterator[CheckMessage]:
    """Report hooks that are not there, and those that a click could not call."""
    for name, call in CALLS.items():
        try:
            found = fault(getattr(conf, name), call)
            problem = f"{PREFIX}{name} {found}" if found else None
        except Exception as exc:  # noqa: BLE001  (the host's module is imported, and may fail in any way)
            problem = str(exc)
            if not (isinstance(exc, ImproperlyConfigured) and problem.startswith(PREFIX + name)):
                path = getattr(settings, PREFIX + name)
                problem = f"{PREFIX}{name} names “{path}”, whose import fails: {type(exc).__name__}: {exc}"
        if problem:
            yield Error(problem, id=f"alguna_portal.{IDS[name]}")


def _missing() -> Iterator[CheckMessage]:
    if not getattr(settings, PREFIX + "API_KEY", ""):
        try:
            _ = conf.API_KEY
        except ImproperlyConfigured as exc:
            yield Warning(str(exc), id="alguna_portal.W001")


def _misspelt() -> Iterator[CheckMessage]:
    for setting in dir(settings):
        name = setting.removeprefix(PREFIX)
        if setting.startswith(PREFIX) and name not in IDS:
            nearest = get_close_matches(name, IDS, n=1)
            unknown = "Remove it, or look its name up in the documentation."
            hint = f"Did you mean {PREFIX}{nearest[0]}?" if nearest else unknown
            yield Warning(f"{setting} is not a setting of alguna_portal.", hint=hint, id="alguna_portal.W002")


def _without_request() -> Iterator[CheckMessage]:
    templates: list[dict[str, Any]] = settings.TEMPLATES
    engines = [engine.get("OPTIONS", {}).get("context_processors", []) for engine in templates]
    if not any("django.template.context_processors.request" in processors for processors in engines):
        yield Warning(
            "{% billing_button %} shows nothing, since templates do not know the request.",
            hint="Add django.template.context_processors.request to the context processors in TEMPLATES.",
            id="alguna_portal.W004",
        )


def _unshared_cache() -> Iterator[CheckMessage]:
    """Warn, outside DEBUG, of caches on which no lock holds between processes."""
    try:
        alias = conf.CACHE
    except ImproperlyConfigured:
        return
    cache = caches[alias]
    if not settings.DEBUG and isinstance(cache, DummyCache | FileBasedCache | LocMemCache):
        yield Warning(
            f"The cache “{alias}” is a {type(cache).__name__}, which processes cannot share and lock: each of them "
            "makes portal sessions of its own, and none learns from another that Alguna is down.",
            hint="Name a cache on Redis, Memcached or the database in ALGUNA_PORTAL_CACHE.",
            id="alguna_portal.W005",
        )
