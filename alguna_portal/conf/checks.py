"""System checks: `manage.py check` reports settings that are invalid, missing or misspelt.

alguna_portal.E001 …    a setting is invalid; each setting has its own id
alguna_portal.W001      there is no API key: everything works until the first click
alguna_portal.W002      a setting is unknown, perhaps misspelt
alguna_portal.W004      templates have no `request`, so the button isn't shown
alguna_portal.W005      processes can't share the cache
"""

import inspect
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from operator import itemgetter
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends import dummy, filebased, locmem
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  (Django's name)
from django.core.exceptions import ImproperlyConfigured

from .settings import PREFIX, SETTINGS, conf

# Projects silence checks by their ids, so no id is reused: a new setting gets the next one, and W003 stays unused.
IDS = dict(sorted(((name, setting.check) for name, setting in SETTINGS.items()), key=itemgetter(1)))
# Needed on first use only, so that a project can be set up before it has them.
REQUIRED_ON_USE = [name for name, setting in SETTINGS.items() if setting.remedy]

# The positional and keyword arguments that a hook is called with, and what to write if it can't be called with them.
HOOKS: dict[str, tuple[list[str], list[str], str]] = {
    "CUSTOMER_RESOLVER": (["request"], [], "Write it as “def customer_of(request):”."),
    "ACCESS_POLICY": (
        [],
        ["request", "user", "customer", "role"],
        "Write it as “def may_open(*, request, user, customer, role):”; “**_” takes those it does not use.",
    ),
}


def check_settings(**_: Any) -> list[CheckMessage]:
    """Report settings that are invalid, missing or misspelt, and other settings that keep the app from working."""
    return [
        *_check_values(),
        *_check_hooks(),
        *_check_api_key(),
        *_check_names(),
        *_check_context_processors(),
        *_check_cache(),
    ]


def _check_values() -> Iterator[CheckMessage]:
    for name, check in IDS.items():
        if name in HOOKS or (name in REQUIRED_ON_USE and not getattr(settings, PREFIX + name, "")):
            continue
        try:
            getattr(conf, name)
        except ImproperlyConfigured as exc:
            # An invalid plan also makes PLAN_IDS raise, but it is reported once, under PLANS.
            if name != "PLAN_IDS" or str(exc).startswith(PREFIX + name):
                yield Error(str(exc), id=f"alguna_portal.{check}")


def _check_hooks() -> Iterator[CheckMessage]:
    for name, call in HOOKS.items():
        try:
            found = _find_problem(getattr(conf, name), *call)
            problem = found and f"{PREFIX}{name} {found}"
        except Exception as exc:  # noqa: BLE001  (the project's module is imported and can raise anything)
            problem = str(exc)
            if not (isinstance(exc, ImproperlyConfigured) and problem.startswith(PREFIX + name)):
                path = getattr(settings, PREFIX + name)
                problem = f"{PREFIX}{name} names “{path}”, whose import fails: {type(exc).__name__}: {exc}"
        if problem:
            yield Error(problem, id=f"alguna_portal.{IDS[name]}")


def _find_problem(hook: Callable[..., Any], positional: list[str], keywords: list[str], remedy: str) -> str | None:
    """Return why a hook can't be called, with the remedy, or None if no problem is found."""
    if inspect.isclass(hook):
        return "is a class, and calling it only makes an instance. Name a function, or an instance that has __call__."
    functions = (hook, type(hook).__call__)
    if any(iscoroutinefunction(each) or inspect.isasyncgenfunction(each) for each in functions):
        return "is async, and is called without await. Write it with “def”, or wrap it in asgiref's async_to_sync."
    if any(inspect.isgeneratorfunction(each) for each in functions):
        return "has a “yield”, so it answers with a generator. Return the answer instead."
    try:
        # If the hook is decorated, the wrapper's arguments count: it may add arguments itself.
        signature = inspect.signature(hook, follow_wrapped=False)
    except (TypeError, ValueError):
        return None  # functions in C have no signature
    try:
        signature.bind(*positional, **dict.fromkeys(keywords))
    except TypeError as exc:
        shown = ", ".join([*positional, *(f"{keyword}=…" for keyword in keywords)])
        return f"cannot be called with ({shown}): {exc}. {remedy}"
    return None


def _check_api_key() -> Iterator[CheckMessage]:
    if not getattr(settings, PREFIX + "API_KEY", ""):
        try:
            _ = conf.API_KEY
        except ImproperlyConfigured as exc:
            yield Warning(str(exc), id="alguna_portal.W001")


def _check_names() -> Iterator[CheckMessage]:
    for setting in dir(settings):
        name = setting.removeprefix(PREFIX)
        if setting.startswith(PREFIX) and name not in IDS:
            nearest = get_close_matches(name, IDS, n=1)
            unknown = "Remove it, or look its name up in the documentation."
            hint = f"Did you mean {PREFIX}{nearest[0]}?" if nearest else unknown
            yield Warning(f"{setting} is not a setting of alguna_portal.", hint=hint, id="alguna_portal.W002")


def _check_context_processors() -> Iterator[CheckMessage]:
    templates: list[dict[str, Any]] = settings.TEMPLATES
    engines = [engine.get("OPTIONS", {}).get("context_processors", []) for engine in templates]
    if not any("django.template.context_processors.request" in processors for processors in engines):
        yield Warning(
            "{% billing_button %} shows nothing, since templates do not know the request.",
            hint="Add django.template.context_processors.request to the context processors in TEMPLATES.",
            id="alguna_portal.W004",
        )


def _check_cache() -> Iterator[CheckMessage]:
    """Warn outside DEBUG if the cache has no locks that all processes share."""
    try:
        alias = conf.CACHE
    except ImproperlyConfigured:
        return
    cache = caches[alias]
    if not settings.DEBUG and isinstance(cache, dummy.DummyCache | filebased.FileBasedCache | locmem.LocMemCache):
        yield Warning(
            f"The cache “{alias}” is a {type(cache).__name__}, which processes cannot share and lock: each of them "
            "makes portal sessions of its own, and none learns from another that Alguna is down.",
            hint="Name a cache on Redis, Memcached or the database in ALGUNA_PORTAL_CACHE.",
            id="alguna_portal.W005",
        )
