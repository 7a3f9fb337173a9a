"""The command `assay mcp`."""

import asyncio
import signal
import socket
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import typer
import uvicorn

from assay.cli.console import note
from assay.cli.process import run
from assay.cli.serving import address
from assay.cli.typer_app import typer_app
from assay.client import AsyncClient
from assay.core.errors import SetupError

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

app = typer_app()

HOST = "127.0.0.1"


@app.command(
    epilog="""[dim]Examples[/dim]

    ASSAY_URL=https://assay.example.com ASSAY_API_KEY=ask_… assay mcp

    assay mcp --http --port 8722 --agent researcher"""
)
def mcp(
    agent: Annotated[
        str, typer.Option(help="The name under which reviewers see who asks.")
    ] = "mcp",
    http: Annotated[
        bool, typer.Option("--http", help="Serve HTTP at /mcp instead of standard input.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of --http; 0 takes a free one.")
    ] = 8722,
) -> None:
    """Let any MCP client ask people.

    It asks the server of ASSAY_URL with the key of ASSAY_API_KEY, which needs the scope
    consults:write. With --http it listens on this machine alone, and whoever reaches it acts with
    that key.
    """
    if find_spec("mcp") is None:
        raise SetupError("assay mcp needs one more package: pip install 'assay[mcp]'")
    client = AsyncClient()
    if http:
        with _listen(port) as listener:
            raise typer.Exit(run(_serve(client, agent, listener), interrupted=0))
    # Standard input is read by a thread, which only a line or its end lets go; there is nothing
    # here that has to be brought to an end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asyncio.run(_converse(client, agent))


async def _converse(client: AsyncClient, agent: str) -> None:
    async with client:
        await _server(client, agent).run_stdio_async()


async def _serve(client: AsyncClient, agent: str, listener: socket.socket) -> int:
    async with client:
        app = _server(client, agent).streamable_http_app(host=HOST)
        config = uvicorn.Config(app, log_config=None, access_log=False, ws="none")
        note(f"People can be asked at {address(listener)}/mcp. Ctrl-C stops it.")
        await uvicorn.Server(config).serve(sockets=[listener])
    return 0


def _server(client: AsyncClient, agent: str) -> "MCPServer[Any]":
    from assay.asking.mcp_server import people_server  # noqa: PLC0415  # its library is optional

    return people_server(client, agent)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        reason = error.strerror or error
        raise SetupError(f"Port {port} cannot be used ({reason}): choose another --port.") from None
