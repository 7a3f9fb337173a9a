"""Where the server is, and who asks."""

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx2

from assay import __version__
from assay.client.errors import Misconfigured

DEFAULT_URL = "http://127.0.0.1:8721"


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """The base URL of a server, and the headers of every request to it."""

    url: str
    headers: dict[str, str] = field(repr=False)


def server_address(url: str | None, api_key: str | None) -> ServerAddress:
    """The server to ask, from what is given or else from ASSAY_URL and ASSAY_API_KEY.

    Raises:
        Misconfigured: one of them cannot be one; the key is not told.
    """
    url = (url or os.environ.get("ASSAY_URL") or DEFAULT_URL).strip().rstrip("/")
    try:
        parsed = urlsplit(url)
        httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        parsed = urlsplit("")
    if parsed.scheme not in {"http", "https"} or not parsed.hostname or parsed.query:
        raise Misconfigured(f"{url!r} is no address of a server; one is such as {DEFAULT_URL}")
    headers = {"Accept": "application/json", "User-Agent": f"assay-client/{__version__}"}
    key = (os.environ.get("ASSAY_API_KEY", "") if api_key is None else api_key).strip()
    if key:
        if not key.isascii() or not key.isprintable() or " " in key:
            raise Misconfigured("The API key (ASSAY_API_KEY) has characters that no key has")
        headers["Authorization"] = f"Bearer {key}"
    return ServerAddress(url, headers)
