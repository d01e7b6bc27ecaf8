"""App configuration of the sandbox."""

from django.apps import AppConfig
from django.core.checks import register

from .conf import check_settings


class SandboxConfig(AppConfig):
    """The sandbox's app, which registers its system checks."""

    name = "alguna_portal.sandbox"
    label = "alguna_sandbox"
    verbose_name = "Alguna sandbox"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        register(check_settings)
