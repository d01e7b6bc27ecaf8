"""Management command that deletes old portal accesses, mailed links and webhook deliveries."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import models, router
from django.utils import timezone

from alguna_portal.models import PortalAccess, PortalLink, WebhookDelivery

# The records to delete, and the fields that all have to be older.
KINDS: tuple[tuple[models.Manager[Any], tuple[str, ...]], ...] = (
    (PortalAccess.objects, ("at",)),
    # A link that can still be renewed is kept, to know if its recipient was locked out. Its last replacement may expire
    # later.
    (PortalLink.objects, ("renewable_until", "expires_at")),
    # Failed deliveries too, because they may contain personal data.
    (WebhookDelivery.objects, ("received_at",)),
)
BATCH_SIZE = 500


class Command(BaseCommand):
    help = (
        "Deletes records of portal accesses that are older than a number of days, mailed links, with their "
        "recipients' addresses, that ended, and could last be renewed, longer ago, and webhook deliveries that came "
        "before, handled or not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options. `--days` is required, because no default is right for every site."""
        parser.add_argument("--days", type=int, required=True, help="what is older than this is deleted; at least 1")
        parser.add_argument("--dry-run", action="store_true", help="only say how many there are")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        days = int(options["days"])
        if days < 1:
            raise CommandError("--days is at least 1: what is younger than a day is kept.")
        try:
            limit = timezone.now() - timedelta(days=days)
        except OverflowError:
            raise CommandError(f"--days {days} leads to before the beginning of the calendar.") from None
        for manager, fields in KINDS:
            model = manager.model
            old = manager.using(router.db_for_write(model)).filter(**{f"{field}__lt": limit for field in fields})
            count = old.count() if options["dry_run"] else _delete(old, fields[0])
            what = model._meta.verbose_name if count == 1 else model._meta.verbose_name_plural
            done = "would be deleted" if options["dry_run"] else "deleted"
            self.stdout.write(f"{count} {what} older than {days} day{'' if days == 1 else 's'}: {done}.")


def _delete(old: models.QuerySet[Any], field: str) -> int:
    """Delete the oldest rows first and commit each batch, so that locks are short and the command can be interrupted.

    The keys are read first, because MariaDB has no `DELETE … WHERE id IN (SELECT … LIMIT …)`. If a batch deletes
    nothing, another process has deleted its rows, which a long transaction would return again and again.
    """
    deleted = 0
    while keys := list(old.order_by(field, "pk").values_list("pk", flat=True)[:BATCH_SIZE]):
        _total, counts = old.filter(pk__in=keys).delete()
        count = counts.get(old.model._meta.label, 0)
        if not count:
            break
        deleted += count
    return deleted
