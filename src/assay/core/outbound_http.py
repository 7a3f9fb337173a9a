"""POST to an address that somebody else chose: checked, limited, and nothing kept."""

import asyncio
import contextlib
import re
import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from assay import __version__
from assay.core.errors import AssayError
from assay.core.outbound import Network, UrlRefused, check_url, is_open, refusal

TOTAL_SECONDS = 20.0
# The status says what came of it; nobody has to wait for the rest of a slow body.
BODY_SECONDS = 2.0
MAX_BODY_BYTES = 4096
MAX_EXCERPT = 1000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# A name server that does not answer holds up these threads, and not those of others.
_lookups = ThreadPoolExecutor(16, thread_name_prefix="lookup")


class NoAnswer(AssayError):
    """There was no answer that can be understood."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered: the status, `Retry-After` as it came, the start of the body as text."""

    status: int
    retry_after: str | None
    excerpt: str


async def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    allowed: Sequence[Network],
    *,
    seconds: float = TOTAL_SECONDS,
) -> Reply:
    """POST `body` once; redirects are not followed, proxies and cookies not used.

    Args:
        url: where to.
        body: what is sent.
        headers: of the request, beside those of HTTP itself.
        allowed: networks that are opened beside the internet.
        seconds: how long all of it may take.

    Raises:
        UrlRefused: the URL, or an address that its host resolves to, is not one to send to.
        NoAnswer: the connection, or what came back over it, was not as it should be.
    """
    checked = check_url(url, allowed)
    sent = {"User-Agent": f"Assay/{__version__}", "Accept-Encoding": "identity", **headers}
    try:
        # Around everything, so that no phase of the exchange has a way past it.
        async with asyncio.timeout(seconds), _session(allowed) as session:
            response = await session.post(checked, data=body, headers=sent, allow_redirects=False)
            try:
                excerpt = await _excerpt(response)
            finally:
                response.close()
    except TimeoutError:
        raise NoAnswer(f"There was no answer within {seconds:g} seconds.") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NoAnswer(_reason(error)) from None
    return Reply(response.status, response.headers.get("Retry-After"), excerpt)


def _session(allowed: Sequence[Network]) -> aiohttp.ClientSession:
    """A session for one request, so that no connection is used for what was not checked."""

    def checked_socket(info: tuple[object, ...]) -> socket.socket:
        # Whatever way an address came, this is where it is connected to.
        family, kind, protocol, _, address = info
        host = address[0]  # type: ignore[index]  # of IP alone
        if not is_open(ip_address(host), allowed):
            raise UrlRefused(refusal(host))
        return socket.socket(family, kind, protocol)  # type: ignore[arg-type]  # as getaddrinfo gave it

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=_CheckedResolver(allowed),
            use_dns_cache=False,
            force_close=True,
            socket_factory=checked_socket,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=None),
    )


class _CheckedResolver(AbstractResolver):
    """Resolves a name anew each time; one address that is refused refuses the name."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(_lookups, _look_up, host, port, family)
        refused = [address for _, address in found if not self._opens(address)]
        if refused:
            raise UrlRefused(f"{host} resolves to an address inside: {refusal(refused[0])}")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=kind,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, address in found
        ]

    def _opens(self, address: str) -> bool:
        return is_open(ip_address(address), self._allowed)

    async def close(self) -> None:
        """Nothing is held."""


def _look_up(
    host: str, port: int, family: socket.AddressFamily
) -> list[tuple[socket.AddressFamily, str]]:
    infos = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    return [(kind, _with_zone(address)) for kind, _, _, _, address in infos]


def _with_zone(address: tuple[object, ...]) -> str:
    """The address as text; the zone of a local one shows, so that it is refused."""
    zone = address[3] if len(address) == 4 else 0
    text = str(address[0])
    return f"{text}%{zone}" if zone and "%" not in text else text


async def _excerpt(response: aiohttp.ClientResponse) -> str:
    """The start of the body as clean text; empty where it is compressed."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return ""
    content = b""
    # What breaks off behind the status changes nothing about it.
    with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError, ValueError):
        async with asyncio.timeout(BODY_SECONDS):
            while len(content) < MAX_BODY_BYTES and (
                more := await response.content.read(MAX_BODY_BYTES - len(content))
            ):
                content += more
    return clean(content.decode(errors="replace"), MAX_EXCERPT)


def clean(text: str, limit: int) -> str:
    """Text from outside that can be stored and shown: no control characters, not too long."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)[:limit]


def _reason(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            said = f"The name {error.host} cannot be resolved: {error.os_error.strerror}."
        case aiohttp.ClientConnectorCertificateError():
            said = f"The certificate of {error.host} is not valid: {error.certificate_error}."
        case aiohttp.ClientConnectorError():
            said = f"{error.host}:{error.port} cannot be connected to: {error.os_error.strerror}."
        case aiohttp.ServerDisconnectedError() | OSError():
            said = "The connection broke off before there was an answer."
        case _:
            said = f"The answer is not HTTP as it should be: {error}"
    return clean(said, MAX_EXCERPT)
