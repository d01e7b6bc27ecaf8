"""The Django project in which a page's code blocks run: its files, and the steps that run in it."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path
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
# Appended after the page's own settings.
INSTALLED = """
if "alguna_portal" not in INSTALLED_APPS:
    INSTALLED_APPS.append("alguna_portal")
# Creating the tables from the models takes a tenth of the time.
MIGRATION_MODULES = dict.fromkeys([app.rpartition(".")[2] for app in INSTALLED_APPS] + ["alguna_sandbox"])
"""
URLS = "from django.contrib import admin\nfrom django.urls import include, path\n\nurlpatterns = []\n"
INCLUDED = 'urlpatterns.append(path("billing/", include("alguna_portal.urls")))\n'
# “# settings.py, from Django 6.0 on”, “{# templates/base.html #}”
FILE_NAME = re.compile(r"(?:#|\{#) ([\w/]+\.\w+)\b")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A block that is run after the files are written: code, commands, JSON or a template."""

    kind: str
    page: str
    line: int
    text: str


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Write files to a folder, by their relative paths."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def get_files_and_steps(page: str, blocks: list[dict[str, Any]]) -> tuple[dict[str, str], list[Step]]:
    """Split the blocks of a page into the project's files and the steps to run, templates last."""
    files = {"settings.py": SETTINGS, "urls.py": URLS, "my_app/__init__.py": ""}
    steps, templates = [], []
    for block in blocks:
        text, kind = block["text"], block["language"]
        step = Step(kind=kind, page=page, line=block["line"], text=text)
        if kind == "python":
            parts = split_into_files(text)
            for name, part in parts.items():
                files[name] = files.get(name, "") + part
            if not parts:
                steps.append(step)
        elif kind == "django":
            templates.append(step)
            if match := FILE_NAME.match(text):
                files[match[1]] = text
        elif kind in ("sh", "json"):
            steps.append(step)
        else:
            raise LookupError(f"{page}:{block['line']}: no test can run “{kind}”.")
    files["settings.py"] += INSTALLED
    if "alguna_portal.urls" not in files["urls.py"]:
        files["urls.py"] += INCLUDED
    # Pages show the button before the code that makes it visible, so templates are rendered last.
    return files, steps + templates


def split_into_files(text: str) -> dict[str, str]:
    """Return the text that a Python block adds to each file; empty if the block is code to run.

    If the first line names a file, the block is that file. If a block only sets settings or `urlpatterns`, it's
    configuration.
    """
    if match := FILE_NAME.match(text):
        return {match[1]: text}
    parts: dict[str, str] = {}
    only_imports = True
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
            only_imports = False
        else:
            return {}
        for name in names:
            parts[name] = parts.get(name, "") + source
    return {} if only_imports else parts
