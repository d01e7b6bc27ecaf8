"""Who opened, or could not open, whose portal: to be read, searched and exported, and changed by nobody."""

import csv
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC
from itertools import islice
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.handlers.asgi import ASGIRequest
from django.db.models import Q, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from alguna_portal.models import PortalAccess, PortalLink
from alguna_portal.models.portal_link import mask_email

from .base import RecordsAdmin, company, page_of, person
from .filters import CustomerFilter

# --- from alguna_portal.admin.export

COLUMNS = (
    "at",
    "user",
    "user_key",
    "impersonated",
    "customer",
    "customer_alias",
    "via",
    "role",
    "outcome",
    "error",
    "session_id",
    "portal_settings",
    "link",
)

CHUNK = 1000


def latest_first(accesses: QuerySet[PortalAccess]) -> Iterator[PortalAccess]:
    """Read accesses some at a time, in the order of the list as it opens.

    Each time from where the last one ended: `iterator()` reads all at once where the database has no cursors
    (MariaDB), and a cursor does not outlive the transaction that a request ends (PostgreSQL behind pgbouncer).
    """
    accesses = accesses.order_by("-at", "-pk")
    chunk = list(accesses[:CHUNK])
    while chunk:
        yield from chunk
        if len(chunk) < CHUNK:
            return
        last = chunk[-1]
        # Said twice, so that the index on the time is used.
        chunk = list(accesses.filter(Q(at__lt=last.at) | Q(pk__lt=last.pk), at__lte=last.at)[:CHUNK])


class _Line:
    """A file for the `csv` module, which hands its lines through."""

    def write(self, line: str) -> str:
        """Return the line."""
        return line


def csv_lines(accesses: Iterable[PortalAccess]) -> Iterator[str]:
    """Give the header, then a line for each access."""
    writer = csv.writer(_Line())
    yield writer.writerow(COLUMNS)
    for access in accesses:
        yield writer.writerow([_inert(cell) for cell in _cells(access)])


async def in_turns(lines: Iterator[str]) -> AsyncIterator[str]:
    """Give lines some at a time, each time read where the database may be asked: what ASGI sends as they come."""
    while chunk := await sync_to_async("".join)(islice(lines, CHUNK)):
        yield chunk


def _cells(access: PortalAccess) -> list[str]:
    return [
        access.at.astimezone(UTC).isoformat(),
        person(access.user, access.user_key),
        mask_email(access.user_key),
        "true" if access.impersonated else "false",
        company(access.customer) if access.customer else "",
        mask_email(access.customer_alias),
        access.via,
        access.role,
        access.outcome,
        access.error,
        access.session_id,
        json.dumps(access.portal_settings, ensure_ascii=False),
        str(access.link_id or ""),
    ]


def _inert(cell: str) -> str:
    """Keep a spreadsheet from running what a customer's name says (OWASP, “CSV Injection”).

    Such cells begin with an apostrophe, which spreadsheets take for “this is text”.
    """
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else cell


if TYPE_CHECKING:
    PortalAccessAdminBase = admin.ModelAdmin[PortalAccess]
else:
    PortalAccessAdminBase = admin.ModelAdmin


@admin.register(PortalAccess)
class PortalAccessAdmin(RecordsAdmin, PortalAccessAdminBase):
    """The audit trail."""

    list_display = ["at", "user_name", "customer_name", "via", "role", "outcome", "error"]
    list_filter = ["outcome", "via", "role", "impersonated", CustomerFilter]
    date_hierarchy = "at"
    search_fields = ["customer_alias", "customer__name", "session_id"]
    search_help_text = _("Search by a customer's alias or name, a user's name, or Alguna's session id.")
    # The table grows with each click, and its rows are counted once, not twice.
    show_full_result_count = False
    actions = ["export_as_csv"]
    fields = (
        "at",
        "user_name",
        "user_key_kept",
        "impersonated",
        "customer_name",
        "customer_alias_kept",
        "via",
        "mailed_link",
        "role",
        "outcome",
        "error",
        "session_id",
        "settings_sent",
    )
    readonly_fields = fields

    def has_delete_permission(self, request: HttpRequest, obj: PortalAccess | None = None) -> bool:  # noqa: ARG002
        """Nobody takes anything out of it; old rows go with `alguna_prune`."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[PortalAccess]:
        """Read people and customers along: one query, however many rows, and none for those no longer there."""
        return super().get_queryset(request).select_related("user", "customer")

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Search by the names of users, whatever the host's are called by."""
        return [*super().get_search_fields(request), f"user__{get_user_model().USERNAME_FIELD}"]

    @admin.display(description=_("user"))
    def user_name(self, access: PortalAccess) -> str:
        """Name the user."""
        return person(access.user, access.user_key) or "-"

    @admin.display(description=_("user's key, as recorded"))
    def user_key_kept(self, access: PortalAccess) -> str:
        """Show the key that stays when the user is deleted."""
        return mask_email(access.user_key) or "-"

    @admin.display(description=_("customer"))
    def customer_name(self, access: PortalAccess) -> str:
        """Name the customer; one without a row, by the alias that was kept."""
        return company(access.customer) if access.customer else mask_email(access.customer_alias) or "-"

    @admin.display(description=_("customer's alias, as recorded"))
    def customer_alias_kept(self, access: PortalAccess) -> str:
        """Show the alias that stays when the customer is deleted."""
        return mask_email(access.customer_alias) or "-"

    @admin.display(description=_("mailed link"))
    def mailed_link(self, access: PortalAccess) -> SafeString | str:
        """Lead to the link, where one was used, and where this admin has its page; that says who may look."""
        if access.link_id is None:
            return "-"
        address = page_of(PortalLink(pk=access.link_id), self.admin_site)
        return format_html('<a href="{}">{}</a>', address, access.link_id) if address else str(access.link_id)

    @admin.display(description=_("portal settings"))
    def settings_sent(self, access: PortalAccess) -> SafeString:
        """Show the settings as Alguna was sent them."""
        return format_html("<pre>{}</pre>", json.dumps(access.portal_settings, indent=2, ensure_ascii=False))

    @admin.action(permissions=["view"], description=_("Export selected as CSV"))
    def export_as_csv(self, request: HttpRequest, accesses: QuerySet[PortalAccess]) -> StreamingHttpResponse:
        """Send the selected accesses as a file, as they are read. Admin pages are `no-store`, and so is this."""
        name = f"portal-accesses-{timezone.now():%Y-%m-%d}.csv"
        lines = csv_lines(latest_first(accesses))
        return StreamingHttpResponse(
            # Of any other iterator ASGI would have all before it sends the first.
            in_turns(lines) if isinstance(request, ASGIRequest) else lines,
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        )
