"""The admin of portal accesses, the audit trail: read-only, with an export as CSV."""

import csv
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import UTC
from itertools import islice
from types import SimpleNamespace
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib import admin
from django.core.handlers.asgi import ASGIRequest
from django.db.models import Q, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from alguna_portal.models import PortalAccess, PortalLink
from alguna_portal.redaction import mask_email

from .base import ReadOnlyAdmin, get_customer_name, get_user_name, render_link
from .filters import CustomerFilter

# The columns of the export, and how to get their values.
COLUMNS: dict[str, Callable[[PortalAccess], str]] = {
    "at": lambda access: access.at.astimezone(UTC).isoformat(),
    "user": lambda access: get_user_name(access.user, access.user_key),
    "user_key": lambda access: mask_email(access.user_key),
    "impersonated": lambda access: "true" if access.impersonated else "false",
    "customer": lambda access: get_customer_name(access.customer) if access.customer else "",
    "customer_alias": lambda access: mask_email(access.customer_alias),
    "via": lambda access: access.via,
    "role": lambda access: access.role,
    "outcome": lambda access: access.outcome,
    "error": lambda access: access.error,
    "session_id": lambda access: access.session_id,
    "portal_settings": lambda access: json.dumps(access.portal_settings, ensure_ascii=False),
    "link": lambda access: str(access.link_id or ""),
}

# The number of rows per query and per part of an asynchronous response.
CHUNK_SIZE = 1000


@admin.register(PortalAccess)
class PortalAccessAdmin(ReadOnlyAdmin):
    """The audit trail."""

    list_display = ["at", "user_name", "customer_name", "via", "role", "outcome", "error"]
    list_filter = ["outcome", "via", "role", "impersonated", CustomerFilter]
    date_hierarchy = "at"
    search_fields = ["customer_alias", "customer__name", "session_id"]
    search_help_text = _("Search by a customer's alias or name, a user's name, or Alguna's session id.")
    user_lookup = "user"
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
        """Return False: only `alguna_prune` deletes old accesses."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[PortalAccess]:
        return super().get_queryset(request).select_related("user", "customer")

    @admin.display(description=_("user"))
    def user_name(self, access: PortalAccess) -> str:
        return get_user_name(access.user, access.user_key) or "-"

    @admin.display(description=_("user's key, as recorded"))
    def user_key_kept(self, access: PortalAccess) -> str:
        """Show the key that remains when the user is deleted."""
        return mask_email(access.user_key) or "-"

    @admin.display(description=_("customer"))
    def customer_name(self, access: PortalAccess) -> str:
        """Show the customer, or its recorded alias if it has no row."""
        return get_customer_name(access.customer) if access.customer else mask_email(access.customer_alias) or "-"

    @admin.display(description=_("customer's alias, as recorded"))
    def customer_alias_kept(self, access: PortalAccess) -> str:
        """Show the alias that remains when the customer is deleted."""
        return mask_email(access.customer_alias) or "-"

    @admin.display(description=_("mailed link"))
    def mailed_link(self, access: PortalAccess) -> SafeString | str:
        """Show the emailed link that was used, with a link to its change page, which checks the permission."""
        if access.link_id is None:
            return "-"
        return render_link(self.get_change_url(PortalLink(pk=access.link_id)), access.link_id)

    @admin.display(description=_("portal settings"))
    def settings_sent(self, access: PortalAccess) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(access.portal_settings, indent=2, ensure_ascii=False))

    @admin.action(permissions=["view"], description=_("Export selected as CSV"))
    def export_as_csv(self, request: HttpRequest, accesses: QuerySet[PortalAccess]) -> StreamingHttpResponse:
        """Stream the selected accesses as a file that isn't cached, like all admin pages."""
        name = f"portal-accesses-{timezone.now():%Y-%m-%d}.csv"
        lines = render_csv(iterate_latest_first(accesses))
        return StreamingHttpResponse(
            # With a synchronous iterator, ASGI would read all rows before it sends the first.
            to_async_chunks(lines) if isinstance(request, ASGIRequest) else lines,
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        )


def iterate_latest_first(accesses: QuerySet[PortalAccess]) -> Iterator[PortalAccess]:
    """Yield accesses in the changelist's default order, with one query per chunk.

    Each chunk starts after the last row of the one before. `iterator()` isn't used: it reads all rows at once on
    databases without cursors (MariaDB), and a cursor ends with the request's transaction (PostgreSQL behind pgbouncer).
    """
    accesses = accesses.order_by("-at", "-pk")
    chunk = list(accesses[:CHUNK_SIZE])
    while chunk:
        yield from chunk
        if len(chunk) < CHUNK_SIZE:
            return
        last = chunk[-1]
        # The second condition on the time is redundant: it lets the database use the index.
        chunk = list(accesses.filter(Q(at__lt=last.at) | Q(pk__lt=last.pk), at__lte=last.at)[:CHUNK_SIZE])


def render_csv(accesses: Iterable[PortalAccess]) -> Iterator[str]:
    """Yield the header, then a line for each access."""
    # The writer returns what `write` returns, which is the line.
    echo: Any = SimpleNamespace(write=str)
    writer = csv.writer(echo)
    yield writer.writerow(COLUMNS)
    for access in accesses:
        yield writer.writerow([_escape_formula(get_value(access)) for get_value in COLUMNS.values()])


def _escape_formula(cell: str) -> str:
    """Prevent a spreadsheet from running a cell as a formula (OWASP, “CSV Injection”): an apostrophe marks text."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else cell


async def to_async_chunks(lines: Iterator[str]) -> AsyncIterator[str]:
    """Yield lines in chunks, each read in a thread that may query the database."""
    while chunk := await sync_to_async("".join)(islice(lines, CHUNK_SIZE)):
        yield chunk
