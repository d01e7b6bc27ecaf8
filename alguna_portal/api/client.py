"""The client of the Alguna API: one method for each endpoint. It uses neither models nor the cache."""

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

PAGE_SIZE, MAX_PAGES = 100, 20  # the largest page that the API returns; more subscriptions than any customer has


@hide_local_variables
class AlgunaClient(BaseClient):
    """A client for one account in Alguna.

    Each method raises an `AlgunaError` if the call fails. `within` is the time in seconds for the call with all its
    retries, if that is less than the time budget.
    """

    def create_portal_session(
        self,
        customer_alias: object,
        portal_settings: PortalSettings,
        *,
        customer_id: str | None = None,
        within: float | None = None,
    ) -> PortalSession:
        """Create a portal session.

        `customer_id` is Alguna's id of the customer, if known: a session of another customer is rejected.
        """
        body = create_session_payload(customer_alias, portal_settings, self.api_version)
        key = str(uuid4())
        if self.api_version == LEGACY_API_VERSION:
            data = self._call("POST", legacy.PATH, body, within=within, key=key).data
            session = legacy.parse_portal_session(data, seconds=self.session_seconds)
        else:
            data = self._call("POST", "/customer-portal-sessions", body, within=within, key=key).data
            session = parse_portal_session(data)
        return validate_session(
            session, customer_id=customer_id, url_hosts=self.url_hosts, loopback_http=self.loopback_http
        )

    def find_customer(self, alias: str, *, within: float | None = None) -> str | None:
        """Return the id of the customer with an alias, or None if Alguna has no such customer."""
        path = f"/customers/lookup?{urlencode({'alias': alias})}"
        try:
            found = parse_customer_id(self._call("GET", path, None, within=within).data)
        except CustomerUnknown:
            return None
        # The lookup also accepts ids. A customer that is found by its id wasn't found by an alias.
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
        """Create a customer; return its id and whether Alguna repeated an earlier response, up to a day old.

        Two calls with the same data create one customer, unless `again` makes this call a new request.
        """
        body = create_customer_payload(alias=alias, name=name, currency=currency, email=email)
        same = f"customer-{sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()}"
        response = self._call("POST", "/customers", body, within=within, key=str(uuid4()) if again else same)
        return parse_created_customer(response.data, alias=alias), response.replayed

    def has_alias(self, customer_id: str, alias: str, *, within: float | None = None) -> bool:
        """Return whether the customer with an id still exists and has an alias."""
        data = self._get_customer(customer_id, within=within)
        return data is not None and has_alias(data, alias)

    def aliases(self, customer_id: str, *, within: float | None = None) -> list[str]:
        """Return the aliases of the customer with an id; an empty list if Alguna has no such customer."""
        data = self._get_customer(customer_id, within=within)
        return [] if data is None else parse_aliases(data, customer_id=customer_id)

    def subscriptions(self, customer_id: str, *, within: float | None = None) -> list[Subscription]:
        """Return a customer's subscriptions in any state; raise `UnexpectedResponse` if there are more than 2,000.

        `within` is for all pages together; without it, each page has the time budget.
        """
        deadline = None if within is None else monotonic() + within
        found: list[Subscription] = []
        for number in range(MAX_PAGES):
            query = urlencode({"customer_id": customer_id, "limit": PAGE_SIZE, "offset": number * PAGE_SIZE})
            left = None if deadline is None else deadline - monotonic()
            data = self._call("GET", f"/subscriptions?{query}", None, within=left).data
            page = parse_subscriptions(data, customer_id=customer_id)
            found += page
            if len(page) < PAGE_SIZE:
                return found
        raise UnexpectedResponse(f"Alguna has more than {MAX_PAGES * PAGE_SIZE} subscriptions of one customer.")

    def _get_customer(self, customer_id: str, *, within: float | None) -> JSON | None:
        try:
            return self._call("GET", f"/customers/{quote(customer_id, safe='')}", None, within=within).data
        except CustomerUnknown:
            return None
