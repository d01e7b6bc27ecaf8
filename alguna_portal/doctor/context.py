"""One visit of the doctor: what it may ask, how long it has, and what one examination leaves for the next."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from time import monotonic

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connections, router
from django.db.migrations.loader import MigrationLoader

from alguna_portal.models import Customer

from .probes import PAGE, Account

# --- from alguna_portal.doctor.tables

OURS = ("alguna_portal", "alguna_portal.sandbox")


def unapplied(using: str) -> list[str]:
    """Name our migrations that were not applied, in order; reads, and writes nothing."""
    loader = MigrationLoader(connections[using])
    labels = {config.label for config in apps.get_app_configs() if config.name in OURS}
    missing: dict[tuple[str, str], None] = {}
    for leaf in loader.graph.leaf_nodes():
        if leaf[0] in labels:
            missing |= dict.fromkeys(key for key in loader.graph.forwards_plan(leaf) if key[0] in labels)
    return [f"{label}.{name}" for label, name in missing if (label, name) not in loader.applied_migrations]


# --- from alguna_portal.doctor.directory


class Whereabouts(StrEnum):
    """What Alguna knows of a customer here."""

    THERE = "there"
    NOWHERE = "nowhere"  # neither its alias nor its id, or it has none stored
    NAMELESS = "nameless"  # its id, but not its alias
    STRANGER = "stranger"  # its alias, as another customer's


@dataclass(kw_only=True)
class Directory:
    """Finds customers by alias. `seconds` says how long a request may take, and raises when there is no time left."""

    account: Account
    seconds: Callable[[], float]
    _ids: dict[str, str] = field(default_factory=dict)

    def read(self, wanted: int) -> None:
        """Read all pages, if they are fewer than the customers that are looked for."""
        pages = self.account.pages
        if pages is None or pages >= wanted:
            return
        for number in range(pages):
            self._ids |= self.account.client.customers(offset=number * PAGE, within=self.seconds()).ids

    def whereabouts(self, customer: Customer) -> Whereabouts:
        """Find a customer; raise an `AlgunaError` where Alguna does not say."""
        client, alias, customer_id = self.account.client, str(customer.alias), customer.customer_id
        # Pages move while they are read: who is not on them is asked for.
        found = self._ids.get(alias) or client.find_customer(alias, within=self.seconds())
        if found is None:
            known = customer_id is not None and client.knows(customer_id, within=self.seconds())
            return Whereabouts.NAMELESS if known else Whereabouts.NOWHERE
        return Whereabouts.THERE if customer_id in (None, found) else Whereabouts.STRANGER


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
