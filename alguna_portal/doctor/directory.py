"""Alguna's customers as they are looked up here: in pages where that takes fewer requests, else one by one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from alguna_portal.models import Customer

from .probes import PAGE, Account


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
