"""Old records deleted: who opened which portal, who was mailed a link, and what Alguna told is kept while needed."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import models, router
from django.utils import timezone

from alguna_portal.models import PortalAccess, PortalLink, WebhookDelivery

# What is kept by date, and the fields that all have to say a date before.
KINDS: tuple[tuple[models.Manager[Any], tuple[str, ...]], ...] = (
    (PortalAccess.objects, ("at",)),
    # Not since it expired: as long as an older link may be renewed, it has to be known who was locked out. But one that
    # replaced it in the end works for longer.
    (PortalLink.objects, ("renewable_until", "expires_at")),
    # Also what nobody could handle: what it says may be personal.
    (WebhookDelivery.objects, ("received_at",)),
)
BATCH = 500


class Command(BaseCommand):
    """Delete what is older than so many days, some at a time."""

    help = (
        "Deletes records of portal accesses that are older than a number of days, mailed links, with their "
        "recipients' addresses, that ended, and could last be renewed, longer ago, and webhook deliveries that came "
        "before, handled or not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the age, for which no default would be right for everybody."""
        parser.add_argument("--days", type=int, required=True, help="what is older than this is deleted; at least 1")
        parser.add_argument("--dry-run", action="store_true", help="only say how many there are")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        """Delete, or count, and say how many."""
        days = int(options["days"])
        if days < 1:
            raise CommandError("--days is at least 1: what is younger than a day is kept.")
        try:
            limit = timezone.now() - timedelta(days=days)
        except OverflowError:
            raise CommandError(f"--days {days} leads to before the beginning of the calendar.") from None
        for records, moments in KINDS:
            model = records.model
            old = records.using(router.db_for_write(model)).filter(**{f"{each}__lt": limit for each in moments})
            count = old.count() if options["dry_run"] else _delete(old, moments[0])
            what = model._meta.verbose_name if count == 1 else model._meta.verbose_name_plural
            done = "would be deleted" if options["dry_run"] else "deleted"
            self.stdout.write(f"{count} {what} older than {days} day{'' if days == 1 else 's'}: {done}.")


def _delete(old: models.QuerySet[Any], moment: str) -> int:
    """Delete the oldest first and commit often: no long locks, and whoever stops it has lost nothing.

    By keys that were read before, since MariaDB deletes from no table that the same statement limits. It ends, too,
    where rows are read that another process has deleted since, as in a transaction that goes on seeing them.
    """
    deleted = 0
    while keys := list(old.order_by(moment, "pk").values_list("pk", flat=True)[:BATCH]):
        _total, each = old.filter(pk__in=keys).delete()
        gone = each.get(old.model._meta.label, 0)
        if not gone:
            break
        deleted += gone
    return deleted
