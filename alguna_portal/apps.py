"""App configuration for Django."""

from django.apps import AppConfig
from django.core.checks import register
from django.utils.translation import gettext_lazy as _


class AlgunaPortalConfig(AppConfig):
    """The app `alguna_portal`, which registers the system checks of its settings."""

    name = "alguna_portal"
    verbose_name = _("Billing portal")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from alguna_portal.conf.checks import check_settings

        register(check_settings)
