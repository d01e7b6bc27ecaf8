"""Who does something in the admin, and Django's history of the rows it is done to."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import IntegrityError
from django.db.models import Model
from django.http import HttpRequest

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


def author(request: HttpRequest) -> "AbstractBaseUser":
    """Return the user; nobody else gets into the admin."""
    return cast("AbstractBaseUser", request.user)


def note(request: HttpRequest, rows: Sequence[Model], text: str) -> None:
    """Note in each row's history who did what, with one statement; not of somebody who was deleted meanwhile."""
    # Django's own admin passes lists, too.
    queryset: Any = rows
    with suppress(IntegrityError):
        LogEntry.objects.log_actions(author(request).pk, queryset, CHANGE, text)
