"""Settings of the host project in which the tests run."""

import os
from pathlib import Path

import django
import environ

from tests.support.databases import get_database_url

BASE_DIR = Path(__file__).resolve().parent.parent

# For management commands. pytest-django sets it to False in tests.
DEBUG = True
SECRET_KEY = "only-for-tests"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
ROOT_URLCONF = "tests.urls"
USE_TZ = True
STATIC_URL = "/static/"
LOGIN_URL = "/login/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "alguna_portal",
    "alguna_portal.sandbox",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
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
DATABASES = {"default": environ.Env.db_url_config(get_database_url(os.environ.get("TESTS_DATABASE", "sqlite")))}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}

ALGUNA_PORTAL_API_KEY = "key_1.secret-of-the-tests"
ALGUNA_PORTAL_PLANS = {
    "starter": {},
    "growth": {"plan_overview_settings": {"allow_self_serve_change": True}},
    "enterprise": {"plan_overview_settings": {"allow_subscription_cancel": False}},
}
ALGUNA_PORTAL_SITE_URL = "https://app.example.com"
# Most tests expect the first failure. Tests of retries override this.
ALGUNA_PORTAL_RETRIES = 0
ALGUNA_SANDBOX_REQUESTS_PER_SECOND = 0
