"""Blocks of a page sorted into files of a project, and steps that are taken in it."""

import ast
import re
from dataclasses import dataclass
from typing import Any

SETTINGS = """
from pathlib import Path

import django

BASE_DIR = Path(__file__).resolve().parent
DEBUG = True
SECRET_KEY = "only-for-the-documentation"
ALLOWED_HOSTS = ["testserver", "localhost"]
ROOT_URLCONF = "urls"
LOGIN_URL = "/login/"
STATIC_URL = "/static/"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.messages",
    "django.contrib.sessions", "django.contrib.staticfiles", "my_app",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:docs?mode=memory&cache=shared"}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
ALGUNA_PORTAL_PLANS = {
    "starter": {},
    "enterprise": {
        "plan_overview_settings": {
            "allow_subscription_cancel": False,
            "allow_self_serve_change": False,
        },
    },
}
"""
# For pages that do not speak of it themselves.
INSTALLED = """
if "alguna_portal" not in INSTALLED_APPS:
    INSTALLED_APPS.append("alguna_portal")
# Tables as the models have them are made in a tenth of the time.
MIGRATION_MODULES = dict.fromkeys([app.rpartition(".")[2] for app in INSTALLED_APPS] + ["alguna_sandbox"])
"""
URLS = "from django.contrib import admin\nfrom django.urls import include, path\n\nurlpatterns = []\n"
INCLUDED = 'urlpatterns.append(path("billing/", include("alguna_portal.urls")))\n'
# “# settings.py, from Django 6.0 on”, “{# templates/base.html #}”
NAMED = re.compile(r"(?:#|\{#) ([\w/]+\.\w+)\b")


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something to be done: code, commands, JSON to be read, or a template to be rendered."""

    kind: str
    page: str
    line: int
    text: str


def laid_out(page: str, blocks: list[dict[str, Any]]) -> tuple[dict[str, str], list[Step]]:
    """Sort the blocks of a page."""
    files = {"settings.py": SETTINGS, "urls.py": URLS, "my_app/__init__.py": ""}
    steps, templates = [], []
    for block in blocks:
        text, kind = block["text"], block["language"]
        step = Step(kind=kind, page=page, line=block["line"], text=text)
        if kind == "python":
            for name, part in (in_files(text) or {"": text}).items():
                if name:
                    files[name] = files.get(name, "") + part
                else:
                    steps.append(step)
        elif kind == "django":
            templates.append(step)
            if named := NAMED.match(text):
                files[named[1]] = text
        elif kind in ("sh", "json"):
            steps.append(step)
        else:
            raise LookupError(f"{page}:{block['line']}: nobody here knows how to run “{kind}”.")
    files["settings.py"] += INSTALLED
    if "alguna_portal.urls" not in files["urls.py"]:
        files["urls.py"] += INCLUDED
    # Templates come before what makes them show something: the page has the button first, then who is billed.
    return files, steps + templates


def in_files(text: str) -> dict[str, str]:
    """Say which parts of a block belong into which files; none, where it is to be run.

    The first line may name the file. Otherwise a block that only sets settings, and `urlpatterns`, is configuration.
    """
    if named := NAMED.match(text):
        return {named[1]: text}
    parts: dict[str, str] = {}
    for statement in ast.parse(text).body:
        source = f"{ast.get_source_segment(text, statement)}\n"
        if isinstance(statement, ast.Import | ast.ImportFrom):
            names = ["settings.py", "urls.py"]
        elif isinstance(statement, ast.Assign | ast.AugAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            (target,) = map(ast.unparse, targets)
            if target != "urlpatterns" and not re.fullmatch("[A-Z][A-Z_]+", target):
                return {}
            names = ["urls.py" if target == "urlpatterns" else "settings.py"]
        else:
            return {}
        for name in names:
            parts[name] = parts.get(name, "") + source
    # Nothing but imports is code.
    return (
        parts if any(not line.startswith(("import ", "from ")) for line in "".join(parts.values()).splitlines()) else {}
    )
