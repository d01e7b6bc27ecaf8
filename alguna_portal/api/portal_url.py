"""Validation of portal sessions: users are only redirected to their own customer's portal on an allowed host."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from alguna_portal.conf.addresses import is_loopback
from alguna_portal.exceptions import CustomerMismatch, UnsafePortalURL
from alguna_portal.redaction import redact_id, redact_text

from .responses import PortalSession

LONGEST_URL = 4096


def validate_session(
    session: PortalSession, *, customer_id: str | None, url_hosts: Sequence[str], loopback_http: bool
) -> PortalSession:
    """Return the session if it is safe to redirect users to its URL.

    Raise `CustomerMismatch` if it belongs to another customer than `customer_id`, Alguna's id, if that is known. Raise
    `UnsafePortalURL` if its URL isn't https or isn't on one of `url_hosts`. With `loopback_http`, http is accepted for
    a listed loopback host: the sandbox during development.
    """
    # The earlier API doesn't return a customer id.
    if customer_id and session.customer_id and session.customer_id != customer_id:
        raise CustomerMismatch(
            f"Alguna made the session for customer “{redact_id(session.customer_id)}”, but this customer's id is "
            f"“{redact_id(customer_id)}”. Does its alias belong to another customer in Alguna, or its id to "
            "another account?"
        )
    if problem := _find_problem(session.url, url_hosts, loopback_http=loopback_http):
        raise UnsafePortalURL(f"Alguna's portal URL is refused: {problem}.")
    return session


def is_listed_host(host: str, hosts: Sequence[str]) -> bool:
    """Return whether a host name is in a list, in which a leading dot stands for every subdomain."""
    return any(host.endswith(each) if each.startswith(".") else host == each for each in hosts)


def _find_problem(url: str, url_hosts: Sequence[str], *, loopback_http: bool) -> str:
    """Return why a URL isn't safe, without quoting it, or an empty string."""
    # Browsers and `urlsplit` disagree on spaces, backslashes and control characters, so none of them is accepted.
    if len(url) > LONGEST_URL or not re.fullmatch(r"[!-\[\]-~]+", url):
        return "it is too long, or has characters that do not belong in a URL"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "it cannot be read"
    if "@" in parts.netloc:
        return "it has a user name"
    if not re.fullmatch(r"([a-z0-9-]+(\.[a-z0-9-]+)*|\[::1\])(:[0-9]*)?", parts.netloc.lower()):
        return "its host is not a plain host name"
    if not is_listed_host(host, url_hosts):
        return f"“{redact_text(host)}” is not in ALGUNA_PORTAL_URL_HOSTS; add it if it is your portal's domain"
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback_http and is_loopback(host)):
        return "it is not https"
    return ""
