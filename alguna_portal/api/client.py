"""What Alguna can be asked, a method each, and what comes of it. Knows no models and no cache."""

import json
from hashlib import sha256
from time import monotonic
from urllib.parse import quote, urlencode
from uuid import uuid4

from alguna_portal.exceptions import CustomerUnknown, UnexpectedResponse
from alguna_portal.portal_settings import LEGACY_API_VERSION, PortalSettings
from alguna_portal.redaction import hide_local_variables

from . import legacy
from .payloads import create_customer_payload, create_session_payload
from .portal_url import validate_session
from .responses import (
    JSON,
    PortalSession,
    Subscription,
    has_alias,
    parse_aliases,
    parse_created_customer,
    parse_customer_id,
    parse_portal_session,
    parse_subscriptions,
)
from .retries import BaseClient

PAGE, MOST_PAGES = 100, 20  # as large as the API gives; more subscriptions than any customer has


@hide_local_variables
class AlgunaClient(BaseClient):
    """Alguna's API, as one account has it."""

    def create_portal_session(
        self,
        customer_alias: object,
        portal_settings: PortalSettings,
        *,
        customer_id: str | None = None,
        within: float | None = None,
    ) -> PortalSession:
        """Ask for a new portal session; raise an `AlgunaError` where there is none to be had.

        With `customer_id`, Alguna's id of the customer, a session for anybody else is refused. `within` is how
        many seconds the call may take with all its retries, where that is less than the time budget.
        """
        body = create_session_payload(customer_alias, portal_settings, self.api_version)
        key = str(uuid4())
        if self.api_version == LEGACY_API_VERSION:
            session = legacy.parse_portal_session(
                self._call("POST", legacy.PATH, body, within=within, key=key).data, seconds=self.session_seconds
            )
        else:
            session = parse_portal_session(
                self._call("POST", "/customer-portal-sessions", body, within=within, key=key).data
            )
        return validate_session(
            session, customer_id=customer_id, url_hosts=self.url_hosts, loopback_http=self.loopback_http
        )

    def find_customer(self, alias: str, *, within: float | None = None) -> str | None:
        """Look up the id of the customer that has an alias; return None where Alguna has none."""
        try:
            path = f"/customers/lookup?{urlencode({'alias': alias})}"
            found = parse_customer_id(self._call("GET", path, None, within=within).data)
        except CustomerUnknown:
            return None
        # The lookup takes ids as well. A customer that is found by its id was not found by an alias.
        return None if found == alias else found

    def create_customer(
        self,
        *,
        alias: str,
        name: str,
        currency: str,
        email: str = "",
        again: bool = False,
        within: float | None = None,
    ) -> tuple[str, bool]:
        """Create a customer; return its id, and whether Alguna only repeats what it answered up to a day ago.

        Sent twice with the same data, it is created once; unless `again` says that it must not be the same request.
        """
        body = create_customer_payload(alias=alias, name=name, currency=currency, email=email)
        same = f"customer-{sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()}"
        said = self._call("POST", "/customers", body, within=within, key=str(uuid4()) if again else same)
        return parse_created_customer(said.data, alias=alias), said.replayed

    def has_alias(self, customer_id: str, alias: str, *, within: float | None = None) -> bool:
        """Say whether the customer of an id is still there, and has an alias."""
        data = self._customer(customer_id, within=within)
        return data is not None and has_alias(data, alias)

    def aliases(self, customer_id: str, *, within: float | None = None) -> list[str]:
        """Look up the aliases of the customer of an id; none where Alguna has no such customer."""
        data = self._customer(customer_id, within=within)
        return [] if data is None else parse_aliases(data, customer_id=customer_id)

    def subscriptions(self, customer_id: str, *, within: float | None = None) -> list[Subscription]:
        """List a customer's subscriptions in any state; raise `UnexpectedResponse` if there are more than 2,000.

        `within` is for all pages together; without it each has the time budget.
        """
        until = None if within is None else monotonic() + within
        found: list[Subscription] = []
        for number in range(MOST_PAGES):
            query = urlencode({"customer_id": customer_id, "limit": PAGE, "offset": number * PAGE})
            left = None if until is None else until - monotonic()
            data = self._call("GET", f"/subscriptions?{query}", None, within=left).data
            page = parse_subscriptions(data, customer_id=customer_id)
            found += page
            if len(page) < PAGE:
                return found
        raise UnexpectedResponse(f"Alguna has more than {MOST_PAGES * PAGE} subscriptions of one customer.")

    def _customer(self, customer_id: str, *, within: float | None) -> JSON | None:
        """Get the customer of an id; None where Alguna has no such customer."""
        try:
            return self._call("GET", f"/customers/{quote(customer_id, safe='')}", None, within=within).data
        except CustomerUnknown:
            return None
