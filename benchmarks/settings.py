"""Settings of the benchmarked site: those of `startproject` in production, changed by the parameters in `BENCHMARK`."""

import json
import os

PARAMETERS = json.loads(os.environ.get("BENCHMARK", "{}"))

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
for app in PARAMETERS.get("without", []):
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
        "NAME": PARAMETERS.get("database", ":memory:"),
        # Persistent connections, as on busy sites. Opening one for each request would cost both sides the same and
        # hide a part of their difference.
        "CONN_MAX_AGE": None,
    },
}
CACHES = {"default": PARAMETERS.get("cache", {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"})}

ALGUNA_PORTAL_API_KEY = "key_1.secret-of-the-benchmarks"
ALGUNA_PORTAL_API_URL = PARAMETERS.get("api_url", "http://127.0.0.1:9")
ALGUNA_PORTAL_PLANS = {
    "starter": {},
    "growth": {"plan_overview_settings": {"allow_self_serve_change": True}},
    "enterprise": {"plan_overview_settings": {"allow_subscription_cancel": False}},
}
globals().update(PARAMETERS.get("settings", {}))
