"""One visit of the doctor: what it may ask, how long it has, and what one examination leaves for the next."""

from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic

from django.conf import settings
from django.db import DatabaseError, router

from alguna_portal.models import Customer

from .probes import Account
from .tables import unapplied

SECONDS = 50.0  # for everything
PROBE_SECONDS = 5.0  # for one probe of anybody but Alguna


class OutOfTime(Exception):
    """The visit has taken as long as it may; what is left is not looked at."""


@dataclass(kw_only=True)
class Visit:
    """What the examinations share. `offline` asks nobody; `everyone` is about all customers, however long it takes."""

    offline: bool = False
    everyone: bool = False
    until: float = field(default_factory=lambda: monotonic() + SECONDS)

    @property
    def debug(self) -> bool:
        """Whether this is development."""
        return bool(settings.DEBUG)

    @cached_property
    def using(self) -> str:
        """The database that is written to: a replica may lag."""
        return router.db_for_write(Customer)

    @cached_property
    def has_tables(self) -> bool:
        """Whether our tables are there, as this version needs them."""
        try:
            return not unapplied(self.using)
        except DatabaseError:
            return False

    @cached_property
    def account(self) -> Account:
        """What Alguna said to one harmless call, made on first use; raise `ImproperlyConfigured` without a key."""
        return Account.asked(within=self.seconds(10.0))

    def seconds(self, at_most: float = PROBE_SECONDS) -> float:
        """Say how long something may take; raise `OutOfTime` where nothing is left."""
        left = self.until - monotonic()
        if left <= 0:
            raise OutOfTime
        return min(left, at_most)
