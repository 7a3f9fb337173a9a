"""Readers of streams that do not read."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import psutil


@asynccontextmanager
async def standing_still(
    url: str, path: str = "/api/v1/sse", headers: Mapping[str, str] | None = None
) -> AsyncIterator[socket.socket]:
    """A reader that asks for a stream, reads its opening, and then nothing more."""
    host, port = url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        await loop.sock_connect(connection, (host, int(port)))
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        await loop.sock_sendall(connection, "\r\n".join([*lines, "", ""]).encode())
        opening = b""
        while b"retry" not in opening:
            opening += await loop.sock_recv(connection, 1024)
        yield connection


def held_by_server(connection: socket.socket) -> bool:
    """Whether the other end, which is in this process too, is still open."""
    ends = psutil.Process().net_connections("tcp")
    return any(end.raddr == connection.getsockname() for end in ends)


async def rest_of(connection: socket.socket) -> bytes:
    """What had been sent, up to where the connection was cut."""
    loop, received = asyncio.get_running_loop(), b""
    async with asyncio.timeout(20):
        while True:
            try:
                piece = await loop.sock_recv(connection, 65536)
            except ConnectionResetError:
                return received
            if not piece:
                return received
            received += piece
