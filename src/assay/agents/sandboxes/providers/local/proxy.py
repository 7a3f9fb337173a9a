"""The only way out of a sandbox: a proxy that knows which hosts it may reach.

It looks at names, resolves them itself, and connects to the address that it has checked. What goes
through a tunnel (CONNECT) it cannot see.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from urllib.parse import urlsplit

import h11

from assay.agents.sandboxes.providers.local.network import listen_within
from assay.agents.sandboxes.providers.local.process import Confined
from assay.core.errors import Invalid
from assay.core.outbound import Network, host_fault, is_open

Ports = Sequence[int]
_HEAD_SECONDS = 30.0
_CONNECT_SECONDS = 10.0
_CONNECTIONS = 128
_PIECE = 64 * 1024
_HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"host"}
# A name server that does not answer holds up these threads, and not those of others.
_lookups = ThreadPoolExecutor(16, thread_name_prefix="sandbox-lookup")


class _Refused(Exception):
    """What the program in the sandbox is told: a status, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Proxy:
    """Lets the commands of a sandbox reach some hosts, and tells of all others what is wrong."""

    def __init__(self, hosts: Sequence[str], *, networks: Sequence[Network], ports: Ports) -> None:
        """Take what may be reached.

        Args:
            hosts: names such as `pypi.org`, or `*.example.com` for all that end so.
            networks: those beside the internet that a name may lead to.
            ports: those of a host that may be reached.

        Raises:
            Invalid: a host is none.
        """
        self._hosts = tuple(map(_normal, hosts))
        self._networks = networks
        self._ports = ports
        self._open = 0
        for host in self._hosts:
            if fault := host_fault(host.removeprefix("*."), networks):
                raise Invalid(f"A sandbox cannot be let to {host!r}: {fault}")

    @contextlib.asynccontextmanager
    async def within(self, running: Confined) -> AsyncIterator[None]:
        """Serve a command, in its own network, as long as it runs.

        Raises:
            SandboxUnusable: this server may not enter the network.
        """
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await self._serve(reader, writer)
            except asyncio.CancelledError:
                # By `within`, whose end is no news to the server.
                pass
            finally:
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(serve, sock=await listen_within(running.init))
        try:
            yield
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open > _CONNECTIONS:
                raise _Refused(503, f"A sandbox has {_CONNECTIONS} connections at most.")
            async with asyncio.timeout(_HEAD_SECONDS):
                request, rest = await _head(reader)
            target = urlsplit(_url(request))
            upstream = await self._connect(target.hostname or "", target.port or 80)
            await _join(reader, writer, upstream, _opening(request, target.netloc) + rest, request)
        except _Refused as refused:
            await _answer(writer, refused)
        except (OSError, TimeoutError, EOFError):
            # Who speaks to the proxy has gone, or says nothing.
            pass
        finally:
            self._open -= 1

    async def _connect(
        self, host: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not self._allows(host):
            allowed = ", ".join(self._hosts)
            raise _Refused(403, f"This sandbox may reach {allowed}, and not {host}.")
        if port not in self._ports:
            ports = " and ".join(map(str, self._ports))
            raise _Refused(403, f"This sandbox may reach ports {ports}, and not {port}.")
        for address in await self._addresses(host, port):
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT_SECONDS):
                    return await asyncio.open_connection(address, port)
        raise _Refused(502, f"{host} does not answer on port {port}.")

    def _allows(self, host: str) -> bool:
        name = _normal(host)
        return any(
            name.endswith(allowed[1:]) if allowed.startswith("*.") else name == allowed
            for allowed in self._hosts
        )

    async def _addresses(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        looking = loop.run_in_executor(
            _lookups, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                found = [str(info[4][0]) for info in await looking]
        except (OSError, UnicodeError, TimeoutError):
            raise _Refused(502, f"The name {host} is not known.") from None
        checked = [text for text in found if is_open(ip_address(text), self._networks)]
        if not checked:
            raise _Refused(403, f"{host} leads to {found[0]}, which is no address on the internet.")
        return list(dict.fromkeys(checked))


def _normal(host: str) -> str:
    return host.strip().lower().rstrip(".")


async def _head(reader: asyncio.StreamReader) -> tuple[h11.Request, bytes]:
    """The head of a request, and what came behind it."""
    connection = h11.Connection(h11.SERVER)
    try:
        while not isinstance(event := connection.next_event(), h11.Request):
            if not (piece := await reader.read(_PIECE)):
                raise EOFError
            connection.receive_data(piece)
    except h11.RemoteProtocolError as error:
        raise _Refused(400, f"This is no request to a proxy: {error}.") from None
    return event, connection.trailing_data[0]


def _url(request: h11.Request) -> str:
    target = request.target.decode("ascii")
    url = f"//{target}" if request.method == b"CONNECT" else target
    try:
        parts = urlsplit(url)
        if parts.hostname and parts.scheme in ("", "http") and (parts.port or parts.scheme):
            return url
    except ValueError:
        pass
    raise _Refused(400, f"Takes CONNECT host:port, or http://host/path: not {target[:200]!r}.")


def _opening(request: h11.Request, netloc: str) -> bytes:
    """What the host is sent first: nothing for a tunnel, else the request as a host wants it."""
    if request.method == b"CONNECT":
        return b""
    target = request.target.decode("ascii")
    path = target.partition("://")[2][len(netloc) :]
    path = path if path.startswith("/") else f"/{path}"
    # One request for each connection: the next may be for another host.
    lines = [b"%s %s HTTP/1.1" % (request.method, path.encode()), b"Connection: close"]
    lines.append(b"Host: " + netloc.rpartition("@")[2].encode())
    for name, value in request.headers.raw_items():
        if name.lower() not in _HOP_BY_HOP:
            lines.append(b"%s: %s" % (name, value))
    return b"\r\n".join([*lines, b"", b""])


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    first: bytes,
    request: h11.Request,
) -> None:
    """Carry bytes both ways until both are done."""
    from_host, to_host = upstream
    try:
        to_host.write(first)
        if request.method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        async with asyncio.TaskGroup() as both:
            both.create_task(_carry(reader, to_host))
            both.create_task(_carry(from_host, writer))
    except* OSError:
        # One side has gone; the other is told so below.
        pass
    finally:
        to_host.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
    writer.write_eof()


async def _answer(writer: asyncio.StreamWriter, refused: _Refused) -> None:
    body = f"{refused}\n".encode()
    head = (
        f"HTTP/1.1 {refused.status} Refused\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with contextlib.suppress(OSError):
        writer.write(head.encode() + body)
        await writer.drain()
