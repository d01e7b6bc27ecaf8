"""Production settings of a new project, with the cache, database and API URL from the order of the benchmark."""

import json
import os

ORDER = json.loads(os.environ.get("BENCHMARK", "{}"))

DEBUG = False
SECRET_KEY = "only-for-benchmarks"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "benchmarks.site"
USE_TZ = True
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "alguna_portal",
]
for app in ORDER.get("without", []):
    INSTALLED_APPS.remove(app)
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
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ORDER.get("database", ":memory:"),
        # Connections are kept, as busy sites do. To open one for each request would cost both sides the same, and
        # so hide a part of what they differ by.
        "CONN_MAX_AGE": None,
    },
}
CACHES = {"default": ORDER.get("cache", {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"})}

ALGUNA_PORTAL_API_KEY = "key_1.secret-of-the-benchmarks"
ALGUNA_PORTAL_API_URL = ORDER.get("api_url", "http://127.0.0.1:9")
ALGUNA_PORTAL_PLANS = {
    "starter": {},
    "growth": {"plan_overview_settings": {"allow_self_serve_change": True}},
    "enterprise": {"plan_overview_settings": {"allow_subscription_cancel": False}},
}
globals().update(ORDER.get("settings", {}))
