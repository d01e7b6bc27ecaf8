"""The sandbox as a Django app."""

from django.apps import AppConfig
from django.core.checks import register

from .checks import check_settings


class SandboxConfig(AppConfig):
    """Bring the sandbox's one table and its checks."""

    name = "alguna_portal.sandbox"
    label = "alguna_sandbox"
    verbose_name = "Alguna sandbox"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        register(check_settings)
