"""The Django project in which the reference is generated, with the app and its sandbox."""

import django
from django.conf import settings


def set_up_django() -> None:
    """Configure and set up Django, unless it's configured already."""
    if settings.configured:
        return
    settings.configure(
        DEBUG=True,  # the sandbox requires it
        SECRET_KEY="reads-docstrings-only",  # noqa: S106  (not a secret)
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "alguna_portal",
            "alguna_portal.sandbox",
        ],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()
