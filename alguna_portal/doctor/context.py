"""State shared by the doctor's checks: options, remaining time, database and API client."""

from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic

from django.apps import apps
from django.db import DatabaseError, connections, router
from django.db.migrations.loader import MigrationLoader

from alguna_portal.exceptions import AlgunaError
from alguna_portal.models import Customer

from .probes import ReadOnlyClient

TOTAL_SECONDS = 50.0  # for all checks together
PROBE_SECONDS = 5.0  # for one request to a host other than Alguna
ACCOUNT_SECONDS = 10.0  # for the request that tries the API key
APPS = ("alguna_portal", "alguna_portal.sandbox")


class OutOfTime(Exception):
    """The time for all checks has passed; the remaining checks are skipped."""


@dataclass(kw_only=True)
class DoctorContext:
    """What the checks share: the command's options, and values that several checks need."""

    offline: bool = False  # send no requests, except to the database and the cache
    all_customers: bool = False  # look up all customers, without a limit on the total time
    deadline: float = field(default_factory=lambda: monotonic() + TOTAL_SECONDS)  # of `time.monotonic()`

    @cached_property
    def using(self) -> str:
        """The alias of the database for writes, since a replica may lag behind it."""
        return router.db_for_write(Customer)

    @cached_property
    def unapplied_migrations(self) -> list[str]:
        """The names of this app's unapplied migrations, in order; raise `DatabaseError` if they can't be read."""
        loader = MigrationLoader(connections[self.using])
        labels = {config.label for config in apps.get_app_configs() if config.name in APPS}
        plans = [loader.graph.forwards_plan(leaf) for leaf in loader.graph.leaf_nodes() if leaf[0] in labels]
        # Plans overlap, since migrations depend on others.
        migrations = dict.fromkeys(key for plan in plans for key in plan if key[0] in labels)
        return [".".join(key) for key in migrations if key not in loader.applied_migrations]

    @cached_property
    def has_tables(self) -> bool:
        """Whether the database has all tables of this version."""
        try:
            return not self.unapplied_migrations
        except DatabaseError:
            return False

    @cached_property
    def client(self) -> ReadOnlyClient:
        """The client for all API calls; raise `ImproperlyConfigured` if there is no valid API key."""
        return ReadOnlyClient.create()

    @cached_property
    def api_error(self) -> AlgunaError | None:
        """The exception raised by the first API call, or None if it succeeded."""
        timeout = self.get_timeout(ACCOUNT_SECONDS)
        try:
            self.client.list_one_customer(within=timeout)
        except AlgunaError as exc:
            return exc
        return None

    def get_timeout(self, limit: float = PROBE_SECONDS) -> float:
        """Return the seconds that an operation may take, at most `limit`; raise `OutOfTime` if none are left."""
        left = self.deadline - monotonic()
        if left <= 0:
            raise OutOfTime
        return min(left, limit)
