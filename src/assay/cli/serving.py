"""The HTTP server of a command: its socket first, then uvicorn until it is told to stop."""

import errno
import math
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import psutil
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from assay.cli.process import on_stop
from assay.core.config import Settings
from assay.core.errors import SetupError
from assay.core.memory import keep_what_is_there
from assay.core.server_sent import TRANSPORT

_NOT_OURS = {errno.EADDRNOTAVAIL, socket.EAI_NONAME, socket.EAI_AGAIN}


def listen(settings: Settings) -> socket.socket:
    """A socket bound to HOST and API_PORT, so that a port in use is known before anything starts.

    Raises:
        SetupError: the port cannot be had, or HOST is no address of this machine.
    """
    host, port = settings.host, settings.api_port
    try:
        return socket.create_server((host, port), family=_family(host))
    except OSError as error:
        if error.errno in _NOT_OURS:
            raise SetupError(
                f"HOST is {host}, which is no address of this machine: use 127.0.0.1 for this "
                "machine alone, or 0.0.0.0 for all that reach it."
            ) from None
        reason = f"{error.strerror or error}. Choose another with --port or API_PORT"
        if error.errno == errno.EADDRINUSE:
            reason = f"{_user_of(port)} Stop that, or choose another port with --port or API_PORT"
        raise SetupError(f"Port {port} on {host} cannot be used: {reason}.") from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _user_of(port: int) -> str:
    """Who listens on a port, in a sentence; not every system tells."""
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            listens_there = getattr(connection.laddr, "port", None) == port
            if connection.status == psutil.CONN_LISTEN and listens_there and connection.pid:
                name = psutil.Process(connection.pid).name()
                return f"it is in use by {name} (process {connection.pid})."
    return "it is in use."


def address(listener: socket.socket) -> str:
    """The base URL of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(
    app: FastAPI, listener: socket.socket, settings: Settings, on_ready: Callable[[], None]
) -> None:
    """Serve `app`, whose lifespan has begun already, until SIGINT or SIGTERM.

    Requests in hand get `SHUTDOWN_SECONDS` to end; a second signal ends them at once.
    """
    config = uvicorn.Config(
        app,
        http=_CuttableHttp,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=math.ceil(settings.shutdown_seconds),
    )
    server = _Server(config, on_ready)

    def stop() -> None:
        # Streams of events would go on for as long as they are let, and so would who waits.
        app.state.feed.close()
        app.state.ended_requests.close()
        app.state.task_waiters.close()
        server.stop()

    with on_stop(stop):
        await server.serve(sockets=[listener])


class _CuttableHttp(HttpToolsProtocol):
    """HTTP that lets a route cut its connection, which a reader that stopped reading needs."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope = cast("dict[str, Any]", self.scope)
        scope["extensions"] = {TRANSPORT: self.transport}


class _Server(uvicorn.Server):
    """Uvicorn that leaves signals to the process, so that a stop is an end with exit code 0."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    def stop(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        keep_what_is_there()
        self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
