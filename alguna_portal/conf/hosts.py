"""Host names: which mean this very machine, and which are on a list."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address


@lru_cache(maxsize=64)  # during development each click asks it twice about the same host
def is_loopback(host: str) -> bool:
    """Say whether a host name or address means the machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_listed(host: str, listed: Sequence[str]) -> bool:
    """Say whether a host name is on a list, where a leading dot stands for every subdomain."""
    return any(host.endswith(each) if each.startswith(".") else host == each for each in listed)
