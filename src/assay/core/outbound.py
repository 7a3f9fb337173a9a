"""Where Assay sends on behalf of others: the internet, and no way into the network behind it.

A URL from outside may name this machine, a neighbour of it or the cloud's metadata service, plainly
or by a name that resolves to them, now or only later. So the form of a URL is checked when it
comes in, and every address when it is connected to (`outbound_http`).
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from yarl import URL

from assay.core.errors import FieldFault, Invalid

LONGEST_URL = 2000
Network = IPv4Network | IPv6Network

# Beside what `is_global` refuses. Azure's machines find their own host at the second one.
_REFUSED_V4 = [
    IPv4Network("0.0.0.0/8"),
    IPv4Network("168.63.129.16"),
    IPv4Network("192.88.99.0/24"),
]
# All other addresses of IPv6 are translated ones (::/96, 64:ff9b::/96), local, or given to nobody.
_GLOBAL_V6 = IPv6Network("2000::/3")
# Tunnels, which hold an address of IPv4 (Teredo, 6to4), and examples.
_REFUSED_V6 = [
    IPv6Network("2001::/23"),
    IPv6Network("2001:db8::/32"),
    IPv6Network("2002::/16"),
    IPv6Network("3fff::/20"),
]
_HOST_NAME = re.compile(r"(?=.{1,253}\.?$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
# What resolvers take for an address of IPv4: 2130706433, 0x7f.1, 0177.0.0.1.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f\\]")
_USER = re.compile(r"[^/?#]*//[^/?#]*@")


class UrlRefused(Invalid):
    """This is not an address that Assay sends to."""

    code = "url_refused"

    def __init__(self, detail: str | None = None, *, place: str = "url") -> None:
        """Say what is wrong; `place` names the field that the URL came in."""
        super().__init__(detail, errors=[FieldFault(place, detail)] if detail else None)


def parse_networks(texts: Iterable[str]) -> Sequence[Network]:
    """The networks that WEBHOOK_ALLOWED_NETWORKS opens, which `Settings` has checked."""
    return [ip_network(text) for text in texts]


def is_open(address: IPv4Address | IPv6Address, allowed: Sequence[Network] = ()) -> bool:
    """Whether Assay connects to this address: it is on the internet, or in a network of `allowed`.

    An address of IPv4 that is written as one of IPv6 (`::ffff:127.0.0.1`) is what it holds.
    """
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        address = address.ipv4_mapped or address
    if any(address in network for network in allowed):
        return True
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    return address in _GLOBAL_V6 and not any(address in network for network in _REFUSED_V6)


def holds_user(text: str) -> bool:
    """Whether a user or a password stands before the host of a URL.

    To be asked before it is read: what cannot be read is quoted in the error, with the password.
    """
    return _USER.match(text) is not None


def check_url(text: str, allowed: Sequence[Network] = (), *, place: str = "url") -> URL:
    """The URL in `text`, if its form lets Assay send to it; names are not resolved here.

    Args:
        text: `http://` or `https://`, a host, and no user or password.
        allowed: networks that are opened.
        place: the field that it came in, for the error.

    Raises:
        UrlRefused: saying what is wrong with it.
    """
    if len(text) > LONGEST_URL:
        raise UrlRefused(f"A URL has {LONGEST_URL:,} characters at most.", place=place)
    if NOT_IN_URLS.search(text):
        raise UrlRefused("A URL has no spaces, backslashes or control characters.", place=place)
    if holds_user(text):
        raise UrlRefused(
            "A URL must not hold a user or a password; the signature says who sends.", place=place
        )
    try:
        url = URL(text)
    except ValueError as error:
        raise UrlRefused(f"This is no URL: {error}.", place=place) from None
    if url.scheme not in ("http", "https") or not url.raw_host:
        raise UrlRefused("Takes a URL such as https://example.com/hook.", place=place)
    if fault := host_fault(url.raw_host, allowed):
        raise UrlRefused(fault, place=place)
    return url


def host_fault(host: str, allowed: Sequence[Network]) -> str | None:
    """What is wrong with a host as it stands in a URL (encoded, without brackets), or None."""
    plain = ":" not in host
    if plain and not _HOST_NAME.fullmatch(host.lower()):
        return f"{host!r} is not the name of a host."
    if plain and not _NUMBER.fullmatch(host.lower().rstrip(".").rpartition(".")[2]):
        return None
    try:
        address = ip_address(host)
    except ValueError:
        return f"{host!r} is no address: write it as 203.0.113.7 or [2001:db8::7]."
    return None if is_open(address, allowed) else refusal(address)


def refusal(address: object) -> str:
    """Why an address is refused, for the one who set the URL and the one who runs the server."""
    return (
        f"{address} is not an address on the internet. If Assay is to send there, its operator "
        "opens the network with WEBHOOK_ALLOWED_NETWORKS."
    )
