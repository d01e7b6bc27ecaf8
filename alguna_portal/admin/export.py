"""Accesses as CSV: names and values as programs know them, in UTF-8, times in UTC."""

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import UTC

from alguna_portal.models import PortalAccess

from .naming import company, person, without_address

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
)


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


def _cells(access: PortalAccess) -> list[str]:
    return [
        access.at.astimezone(UTC).isoformat(),
        person(access.user, access.user_key),
        without_address(access.user_key),
        "true" if access.impersonated else "false",
        company(access.customer) if access.customer else "",
        without_address(access.customer_alias),
        access.via,
        access.role,
        access.outcome,
        access.error,
        access.session_id,
        json.dumps(access.portal_settings, ensure_ascii=False),
    ]


def _inert(cell: str) -> str:
    """Keep a spreadsheet from running what a customer's name says (OWASP, “CSV Injection”).

    Such cells begin with an apostrophe, which spreadsheets take for “this is text”.
    """
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else cell
