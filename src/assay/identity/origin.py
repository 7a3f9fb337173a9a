"""Which page a request comes from, and whether that page may use this server.

A browser sends cookies along whoever wrote the page, so for requests that rest on cookies, and
for all where nobody has to sign in, the page has to be one of ours or one of CORS_ORIGINS.
"""

from collections.abc import Collection

from starlette.datastructures import Headers

from assay.core.addresses import host_name, is_loopback, origin_authority
from assay.core.errors import Forbidden

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class ForeignOrigin(Forbidden):
    """The request comes from a page of another site."""

    code = "foreign_origin"


class ForeignHost(Forbidden):
    """This server answers to names of this machine only, until users are made."""

    code = "foreign_host"


def require_own_page(headers: Headers, allowed: Collection[str]) -> None:
    """Refuse what a page of another site sends.

    Browsers say in `Sec-Fetch-Site` or `Origin` where a request comes from, and pages cannot
    change that; what has neither was sent by no browser.

    Args:
        headers: of the request.
        allowed: origins of other pages that may use this server.

    Raises:
        ForeignOrigin: naming the origin and the setting that would allow it.
    """
    origin = headers.get("origin")
    if origin is not None and origin in allowed:
        return
    site = headers.get("sec-fetch-site")
    if site in ("same-origin", "none") or (origin is None and site is None):
        return
    own = headers.get("host", "").lower()
    if site is None and origin is not None and own and origin_authority(origin) == own:
        return
    raise ForeignOrigin(
        f"A page of {origin or 'another site'} may not do this. If it is yours, add its origin "
        "to CORS_ORIGINS."
    )


def require_loopback(headers: Headers, peer: str | None) -> None:
    """Refuse what was not meant for this machine by its name, or comes from another one.

    Pages of any site can give their own name the address 127.0.0.1 (DNS rebinding); the name
    then stands in `Host`.

    Raises:
        ForeignHost: saying how to let others in.
    """
    host = host_name(headers.get("host", ""))
    if is_loopback(host) and (peer is None or is_loopback(peer)):
        return
    raise ForeignHost(
        f"Nobody has to sign in here yet, so only this machine is answered, as localhost; this "
        f"was for {host or 'no host'}. `assay users create` makes the first user."
    )
