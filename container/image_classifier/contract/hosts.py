"""Host names in requests: what a browser calls this machine, and how they are taken from the header Host."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")
WILDCARDS = ("", "0.0.0.0", "::")
"""Addresses to listen on that stand for all of this machine's."""


def host_of(authority: str) -> str:
    """Return the host of `host:port` in lower case, an IPv6 address without its brackets."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    return authority.partition(":")[0].lower()
