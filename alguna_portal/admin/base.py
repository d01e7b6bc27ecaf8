"""Lists of what has happened: gone through by date, where the database can tell dates, and written by nobody here."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db import connections
from django.http import HttpRequest

if TYPE_CHECKING:
    ModelAdminBase = admin.ModelAdmin[Any]
else:
    ModelAdminBase = admin.ModelAdmin


class RecordsAdmin(ModelAdminBase):
    """A list with a `date_hierarchy`, of rows that are only looked at."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Rows come from what happens, not from here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nobody corrects what has happened."""
        return False

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Go without on MySQL and MariaDB whose time zone tables are empty: there the whole page would be an error."""
        changes = super().get_changelist_instance(request)
        if not connections[changes.queryset.db].features.has_zoneinfo_database:
            changes.date_hierarchy = None
        return changes
