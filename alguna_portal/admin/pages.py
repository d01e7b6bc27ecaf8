"""Pages of single rows, and what stands beside Django's own: doors that are posted to, and pages that ask."""

from collections.abc import Callable
from typing import Any

from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse

from alguna_portal.transactions import committing

from .naming import page_of
from .transactions import CommittingAdmin


class PagesAdmin(CommittingAdmin):
    """An admin whose rows have more pages than Django gives them."""

    def page_of(self, row: Model) -> str:
        """Give the address of the page of any row; nothing where this site has none."""
        return page_of(row, self.admin_site)

    def door_of(self, name: str, row: Model) -> str:
        """Give the address of one of the pages that a row has here."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}"
        return reverse(name, args=[quote(row.pk)], current_app=self.admin_site.name)

    def _door(self, name: str, view: Callable[..., HttpResponse]) -> URLPattern:
        """Give the pattern of such a page, which belongs before Django's own: that takes any path."""
        route = f"<path:object_id>/{name.replace('_', '-')}/"
        full_name = f"{self.opts.app_label}_{self.opts.model_name}_{name}"
        return path(route, committing(self.admin_site.admin_view(view)), name=full_name)

    def _row(self, request: HttpRequest, object_id: str, may: Callable[[Any], bool]) -> Any:
        """Find the row of such a page; refuse those who may not have it, before they learn whether there is one."""
        row = self.get_object(request, unquote(object_id))
        if not may(row):
            raise PermissionDenied
        if row is None:
            raise Http404
        return row
