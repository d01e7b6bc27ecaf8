"""Exceptions of calls to the Alguna API.

    AlgunaError                     every failure of a call; the base class to catch
    ├── AlgunaUnavailable           try again later: no connection, a timeout, 408, 429, 5xx, 409 with Retry-After
    │   └── BreakerOpen             not sent: Alguna failed or hung several times in a row
    ├── AlgunaRefused               Alguna rejected the request (other 4xx)
    │   ├── AuthenticationFailed    401 or 403: the API key is invalid or lacks a permission
    │   └── CustomerUnknown         404: no customer has this alias
    └── UnexpectedResponse          not a response of the API: other content, a redirect, an empty 404
        ├── UnsafePortalURL         a portal URL that users must not be redirected to
        └── CustomerMismatch        a response about another customer than the requested one

Configuration errors are Django's `ImproperlyConfigured`, which isn't in this tree: code that handles an outage should
not hide a missing API key.

No exception text contains an API key, a portal URL or an email address. All exceptions can be pickled.
"""


class AlgunaError(Exception):
    """A call to Alguna failed. `status` is the HTTP status, or None if there was no response."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after  # seconds, if Alguna named them
        self.replayed = False  # whether Alguna repeated its response to an earlier request, up to a day old


class AlgunaUnavailable(AlgunaError):
    """Alguna can't be reached, is overloaded or fails; the same call may succeed later."""


class BreakerOpen(AlgunaUnavailable):
    """Alguna failed or hung several times in a row, so the call wasn't sent; `retry_after` is the time to wait."""


class AlgunaRefused(AlgunaError):
    """Alguna rejected the request; it will reject the same request again."""


class AuthenticationFailed(AlgunaRefused):
    """Alguna rejected the API key, or the key lacks a permission."""


class CustomerUnknown(AlgunaRefused):
    """No customer in this Alguna account has the alias."""


class UnexpectedResponse(AlgunaError):
    """The response isn't one of the API's: other content than documented, a redirect, or a 404 without a reason."""


class UnsafePortalURL(UnexpectedResponse):
    """The portal URL isn't https, or isn't on a host in `ALGUNA_PORTAL_URL_HOSTS`."""


class CustomerMismatch(UnexpectedResponse):
    """The response is about another customer than the requested one."""
