"""What can go wrong between a click and the portal.

    AlgunaError                     every failure of a call to Alguna; the base to catch
    ├── AlgunaUnavailable           try again later: no connection, a timeout, 408, 429, 5xx, 409 with Retry-After
    │   └── BreakerOpen             not even asked: it failed too often just now, or hangs
    ├── AlgunaRefused               Alguna understood and said no (other 4xx)
    │   ├── AuthenticationFailed    401 or 403: the key is wrong, or may not do this
    │   └── CustomerUnknown         404: no customer has this alias
    └── UnexpectedResponse                   not how the API answers: other content, a redirect, an empty 404
        ├── UnsafePortalURL         a portal URL that users must not be sent to
        └── CustomerMismatch        another customer than the one asked for, or a session for one

Configuration errors are Django's `ImproperlyConfigured` and stand outside this tree: code that
survives an outage should not survive, unseen, a missing key.

No text here holds a key, a portal URL or an e-mail address. Every exception pickles.
"""


class AlgunaError(Exception):
    """A call to Alguna did not do what was asked; `status` is the HTTP status, where there was one."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after  # seconds, where Alguna named them
        self.replayed = False  # whether Alguna said so to the same request before, up to a day ago


class AlgunaUnavailable(AlgunaError):
    """Alguna cannot be reached, is overloaded or is failing; the same call may succeed later."""


class BreakerOpen(AlgunaUnavailable):
    """Alguna failed several times in a row, or hangs, so it is left alone; `retry_after` says for how long."""


class AlgunaRefused(AlgunaError):
    """Alguna refused the request; sent again unchanged, it will be refused again."""


class AuthenticationFailed(AlgunaRefused):
    """Alguna does not accept the API key, or does not let it do this."""


class CustomerUnknown(AlgunaRefused):
    """No customer in this Alguna account has the alias."""


class UnexpectedResponse(AlgunaError):
    """The answer is not one that the API gives: other content than it promises, a redirect, a 404 that says nothing."""


class UnsafePortalURL(UnexpectedResponse):
    """The portal URL is not https, or not on a host in `ALGUNA_PORTAL_URL_HOSTS`."""


class CustomerMismatch(UnexpectedResponse):
    """The answer is about another customer than the one that was asked for."""
