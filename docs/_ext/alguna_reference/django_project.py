"""The Django project in which the code is read: the app, and its sandbox."""

import django
from django.conf import settings


def set_up() -> None:
    """Set Django up, unless somebody else has."""
    if settings.configured:
        return
    settings.configure(
        DEBUG=True,  # for the sandbox, whose models and commands are described, too
        SECRET_KEY="reads-docstrings-only",  # noqa: S106  (it says so itself)
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "alguna_portal",
            "alguna_portal.sandbox",
        ],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()
