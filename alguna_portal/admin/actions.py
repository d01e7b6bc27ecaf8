"""Pages that ask before something is done with customers: what they have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from alguna_portal.models import Customer

from .pages import PagesAdmin

if TYPE_CHECKING:

    class CustomerAdminBase(PagesAdmin, admin.ModelAdmin[Customer]): ...

else:
    CustomerAdminBase = PagesAdmin


# Of each kind, on such a page.
MOST_LISTED = 200


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A customer on such a page: its address, masked, where it gets mail, or why it is left out."""

    name: str
    url: str
    address: str = ""
    reasons: Sequence[str] = ()


def selection(request: HttpRequest, action: str) -> list[tuple[str, str]]:
    """Give the form fields with which a page that asks says once more what was selected in the list."""
    across = request.POST.get("select_across") == "1"
    selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
    # Of a selection across all pages Django wants one name, and finds the others by the filters in the address.
    fields = [(ACTION_CHECKBOX_NAME, key) for key in (selected[:1] if across else selected)]
    return [*fields, ("select_across", "1" if across else "0"), ("action", action)]


class AskingAdmin(CustomerAdminBase):
    """The frame of such a page, and the ways back from it."""

    def _question(self, request: HttpRequest, template: str, title: str, context: dict[str, Any]) -> HttpResponse:
        """Show a page that asks, in the admin's frame."""
        frame = {
            **self.admin_site.each_context(request),
            "title": title,
            "original": title,
            "subtitle": None,
            "has_view_permission": True,
            "opts": self.opts,
            "media": self.media,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"admin/alguna_portal/customer/{template}.html", frame | context)

    def _keep_filters(self, request: HttpRequest, url: str) -> str:
        """Let the way back to the list lead to the list as it was filtered."""
        return add_preserved_filters({"preserved_filters": self.get_preserved_filters(request), "opts": self.opts}, url)
