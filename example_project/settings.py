"""Settings of the example project, from environment variables and an optional `.env` file.

`.env.example` documents the variables. Without any, the project runs with DEBUG on SQLite, and uses the sandbox that it
serves at `/sandbox/`. If ALGUNA_PORTAL_API_KEY is set, it uses Alguna instead; nothing else changes.
"""

from pathlib import Path

import django
import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env_file = Path(env("ENV_FILE", default=str(BASE_DIR / ".env")))
if env_file.is_file():
    env.read_env(env_file)  # variables in the environment have priority

DEBUG = env.bool("DEBUG", default=True)
PORT = env.int("PORT", default=8000)

# Billing: the settings for alguna_portal

_api_key = env("ALGUNA_PORTAL_API_KEY", default="")
USES_SANDBOX = DEBUG and not _api_key
if not _api_key and env("ALGUNA_PORTAL_API_URL", default=""):
    raise ImproperlyConfigured("ALGUNA_PORTAL_API_URL is set without ALGUNA_PORTAL_API_KEY. Set both, or neither.")

ALGUNA_PORTAL_API_KEY = "sandbox.secret" if USES_SANDBOX else _api_key
ALGUNA_PORTAL_API_URL = env("ALGUNA_PORTAL_API_URL", default="") or (
    f"http://localhost:{PORT}/sandbox" if USES_SANDBOX else "https://api.alguna.io"
)
ALGUNA_PORTAL_URL_HOSTS = env.list(
    "ALGUNA_PORTAL_URL_HOSTS", default=["alguna.io", ".alguna.io", ".alguna.app", ".alguna.site"]
)
if DEBUG:
    ALGUNA_PORTAL_URL_HOSTS += ["localhost", "127.0.0.1"]
ALGUNA_PORTAL_PLANS = {
    "starter": {},
    "growth": {"plan_overview_settings": {"allow_self_serve_change": True}},
    "enterprise": {"plan_overview_settings": {"allow_subscription_cancel": False, "allow_self_serve_change": False}},
}
ALGUNA_PORTAL_SUPPORT_CONTACT = "support@example.com"
# The beginning of links in emails. Without it, no links are sent outside DEBUG, and the admin shows an error.
ALGUNA_PORTAL_SITE_URL = env("ALGUNA_PORTAL_SITE_URL", default="") or (f"http://localhost:{PORT}" if DEBUG else "")
ALGUNA_SANDBOX_BRAND_NAME = "Kilnkeeper"
ALGUNA_SANDBOX_BRAND_COLOR = "#a23c1c"
# The plans that the hosted portal offers.
ALGUNA_SANDBOX_PLANS = {
    "plan_starter": {"name": "Starter", "amount_cents": 2900},
    "plan_growth": {"name": "Growth", "amount_cents": 9900},
    "plan_enterprise": {"name": "Enterprise", "amount_cents": 49000},
}
if USES_SANDBOX:
    # The sandbox sends webhooks when a plan is changed or cancelled in the portal, like Alguna.
    ALGUNA_SANDBOX_WEBHOOK_URL = f"http://localhost:{PORT}/billing/webhook/"
    ALGUNA_SANDBOX_WEBHOOK_SECRET = "whsec_b25seS1mb3ItZGV2ZWxvcG1lbnQ="  # noqa: S105  (for development only)
    ALGUNA_PORTAL_WEBHOOK_SECRETS = [ALGUNA_SANDBOX_WEBHOOK_SECRET]
    ALGUNA_PORTAL_PLAN_IDS = {"plan_starter": "starter", "plan_growth": "growth", "plan_enterprise": "enterprise"}

# The project

INSTALLED_APPS = [
    # First, because its `runserver` replaces Django's.
    "example_project.studio",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "alguna_portal",
    *(["alguna_portal.sandbox"] if DEBUG else []),
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    # For alguna_portal's pages, which are translated. Kilnkeeper's own pages are in English.
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "example_project.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Before the apps' templates, to override alguna_portal/base.html.
        "DIRS": [BASE_DIR / "example_project" / "templates"],
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
LOGIN_URL = "landing"
LOGIN_REDIRECT_URL = "dashboard"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
# The languages of alguna_portal's pages.
LANGUAGES = [
    ("ar", "العربية"),
    ("de", "Deutsch"),
    ("en", "English"),
    ("es", "español"),
    ("fr", "français"),
    ("ja", "日本語"),
    ("pt-br", "português (Brasil)"),
]
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / ".demo" / "static"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Cookies are shared between ports: the default names would sign people out of other projects on localhost.
SESSION_COOKIE_NAME = "kilnkeeper_session"
CSRF_COOKIE_NAME = "kilnkeeper_csrf"

# Stores

if env("DATABASE_URL", default=""):
    DATABASES = {"default": env.db("DATABASE_URL")}
else:
    (BASE_DIR / ".demo").mkdir(exist_ok=True)
    DATABASES = {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(BASE_DIR / ".demo" / "db.sqlite3")},
    }
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A click on Billing is two simultaneous requests, one of them to the sandbox. Readers never wait (WAL), and
    # writers wait for up to 20 seconds at the start of their transaction (IMMEDIATE).
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
CACHES = {"default": env.cache_url_config(env("CACHE_URL", default="") or "locmemcache://")}

# Email

_email_url = env("EMAIL_URL", default="")
USES_MAILBOX = DEBUG and not _email_url
MAILBOX = Path(env("MAILBOX", default="") or BASE_DIR / ".demo" / "mail")
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="") or "Kilnkeeper <billing@kilnkeeper.example.com>"
# Outside DEBUG, the console isn't used, because logs would then contain the links.
_email_settings = {
    name: value for name, value in env.email_url_config(_email_url or "smtp://localhost").items() if value
}
if USES_MAILBOX:
    _email_settings = {"EMAIL_BACKEND": "example_project.studio.mailbox.EmailBackend"}
if django.VERSION >= (6, 1):  # deprecates the EMAIL_ settings
    _options = {
        "EMAIL_FILE_PATH": "file_path",
        "EMAIL_HOST": "host",
        "EMAIL_PORT": "port",
        "EMAIL_HOST_USER": "username",
        "EMAIL_HOST_PASSWORD": "password",
        "EMAIL_USE_TLS": "use_tls",
        "EMAIL_USE_SSL": "use_ssl",
    }
    MAILERS = {
        "default": {
            "BACKEND": _email_settings["EMAIL_BACKEND"],
            "OPTIONS": {option: _email_settings[name] for name, option in _options.items() if name in _email_settings},
        }
    }
else:
    vars().update(_email_settings)

# Security

# With django-csp, because Django 5.2 has no CSP middleware. From Django 6.0, you can use SECURE_CSP instead.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
if DEBUG:
    SECRET_KEY = env("SECRET_KEY", default="") or "insecure-and-only-for-development"
    ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
else:
    SECRET_KEY = env("SECRET_KEY")
    ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
    SECURE_SSL_REDIRECT = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 30 * 24 * 60 * 60
    # Only the owner of a domain can decide whether HSTS includes its other subdomains.
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
    if env.bool("BEHIND_PROXY", default=False):
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
