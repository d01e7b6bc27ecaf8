"""Accesses as CSV: names and values as programs know them, in UTF-8, times in UTC."""

import csv
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC
from itertools import islice

from asgiref.sync import sync_to_async
from django.db.models import Q, QuerySet

from alguna_portal.models import PortalAccess
from alguna_portal.models.portal_link import masked

from .naming import company, person

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
        masked(access.user_key),
        "true" if access.impersonated else "false",
        company(access.customer) if access.customer else "",
        masked(access.customer_alias),
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
