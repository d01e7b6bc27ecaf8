"""Lists that can be gone through by date, where the database can tell dates."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db import connections
from django.http import HttpRequest

if TYPE_CHECKING:
    ModelAdminBase = admin.ModelAdmin[Any]
else:
    ModelAdminBase = admin.ModelAdmin


class DatedAdmin(ModelAdminBase):
    """A list with a `date_hierarchy`."""

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Go without on MySQL and MariaDB whose time zone tables are empty: there the whole page would be an error."""
        changes = super().get_changelist_instance(request)
        if not connections[changes.queryset.db].features.has_zoneinfo_database:
            changes.date_hierarchy = None
        return changes
