"""Hosts and origins: which name this machine itself, and what a header names."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is this machine itself."""
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def host_name(authority: str) -> str:
    """The name or address in `name:port` or `[address]:port`; empty where it is neither."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


def origin_authority(origin: str) -> str:
    """The `name:port` of an origin or URL; empty where it has none, as the origin `null`."""
    try:
        return urlsplit(origin).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""
