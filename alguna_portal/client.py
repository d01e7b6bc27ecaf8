"""The HTTP boundary: the one place that talks to Alguna. Knows no models, and no exception of `requests` leaves it."""

import os
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from typing import Self
from uuid import uuid4

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from . import __version__
from .answers import JSON, PortalSession, decode, portal_session
from .conf import conf
from .exceptions import AlgunaUnavailable
from .portal_settings import PortalSettings
from .vetting import vet

USER_AGENT = f"alguna_portal/{__version__}"
CONNECTIONS = 32  # kept alive per process: as many as a threaded worker commonly has threads


def session_request(customer_alias: str, portal_settings: PortalSettings) -> JSON:
    """Write the body that asks for a portal session. By alias: an id would tie us to one Alguna account."""
    return {"customer_alias": customer_alias, **portal_settings.payload()}


class AlgunaClient:
    """Alguna's API, with the key and the address of one account."""

    def __init__(
        self,
        *,
        api_key: str,
        api_url: str,
        api_version: str,
        timeout: tuple[float, float],
        url_hosts: tuple[str, ...],
        loopback_http: bool = False,
    ) -> None:
        self.api_url = api_url
        self.api_version = api_version
        self.timeout = timeout
        self.url_hosts = url_hosts
        self.loopback_http = loopback_http
        self._auth = _BearerAuth(api_key)

    @classmethod
    def from_settings(cls) -> Self:
        """Make the client that the settings describe; raise `ImproperlyConfigured` where they cannot be used."""
        return cls(
            api_key=conf.API_KEY,
            api_url=conf.API_URL,
            api_version=conf.API_VERSION,
            timeout=conf.TIMEOUT,
            url_hosts=conf.URL_HOSTS,
            loopback_http=settings.DEBUG,
        )

    def create_portal_session(
        self, customer_alias: str, portal_settings: PortalSettings, *, customer_id: str | None = None
    ) -> PortalSession:
        """Ask for a new portal session; raise an `AlgunaError` where there is none to be had.

        With `customer_id`, Alguna's id of the customer, a session for anybody else is refused.
        """
        data = self._post("/customer-portal-sessions", session_request(customer_alias, portal_settings))
        return self.vet(portal_session(data), customer_id=customer_id)

    def vet(self, session: PortalSession, *, customer_id: str | None = None) -> PortalSession:
        """Return the session if it is this customer's and leads where users may be sent; else raise `BadAnswer`."""
        return vet(session, customer_id=customer_id, url_hosts=self.url_hosts, loopback_http=self.loopback_http)

    def _post(self, path: str, body: JSON) -> JSON:
        """Send one POST, under an idempotency key of its own, and decode the answer."""
        try:
            response = _connections(os.getpid()).post(
                self.api_url + path,
                json=body,
                auth=self._auth,
                headers={
                    "Accept": "application/json",
                    "Alguna-Version": self.api_version,
                    "Idempotency-Key": str(uuid4()),
                    "User-Agent": USER_AGENT,
                },
                timeout=self.timeout,
                allow_redirects=False,
            )
        # urllib3's own errors slip through requests in rare cases, as for a body that breaks off.
        except (requests.RequestException, HTTPError) as exc:
            raise AlgunaUnavailable(
                f"Alguna cannot be reached ({type(exc).__name__}). Try again later; if it stays so, check "
                "ALGUNA_PORTAL_API_URL and the way out of your network."
            ) from exc
        return decode(response.status_code, response.headers, response.content, secrets=self._auth.secrets)


class _BearerAuth(requests.auth.AuthBase):
    """The API key. As `auth`, since a header would lose to a `.netrc` entry; and no `repr` shows it."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key
        # Whole, and its secret half: neither may come back to us in an answer that we quote.
        self.secrets = (api_key, api_key.rpartition(".")[2])

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request


@lru_cache(maxsize=1)
def _connections(pid: int) -> requests.Session:  # noqa: ARG001
    """Open this process's pool of connections. Its pid is the key, since a forked child must not share sockets."""
    session = requests.Session()
    session.mount("https://", HTTPAdapter(pool_maxsize=CONNECTIONS))
    session.mount("http://", HTTPAdapter(pool_maxsize=CONNECTIONS))
    # Cookies would be the only state that threads share; nobody needs them.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session
