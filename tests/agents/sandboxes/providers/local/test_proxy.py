"""The way out of a sandbox: to the hosts that it may reach, and nowhere else."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from assay.agents.sandboxes.providers.local.provider import LocalProvider
from assay.agents.sandboxes.providers.types import Command, Ran, SandboxLimits
from assay.core.errors import Invalid

NETWORK = SandboxLimits(processes=32, network=("localhost", "*.allowed.example"))
ASK = """
import sys, urllib.request, urllib.error
handler = urllib.request.ProxyHandler({"http": "http://127.0.0.1:3128"})
urllib.request.proxy_bypass = lambda host: False
body = sys.argv[2].encode() if len(sys.argv) > 2 else None
try:
    print(urllib.request.build_opener(handler).open(sys.argv[1], body, timeout=20).read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""
TUNNEL = """
import socket, sys
way = socket.create_connection(("127.0.0.1", 3128))
way.sendall(f"CONNECT {sys.argv[1]} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
answer = b""
while not answer.endswith(b"\\n\\r\\n"):
    answer += way.recv(1000)
    if b"Content-Length" in answer and b"\\r\\n\\r\\n" in answer: break
print(answer.split(b"\\r\\n")[0].decode())
if b" 200 " in answer:
    way.sendall(b"GET /tunnel HTTP/1.1\\r\\nConnection: close\\r\\n\\r\\n")
    while piece := way.recv(1000): print(piece.decode())
"""


@pytest.fixture
async def host() -> AsyncIterator[int]:
    """A server on loopback that answers with what it was asked; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = [
            line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        ]
        body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
        asked = head + body
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(asked), asked))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def provider(tmp_path: Path, host: int) -> AsyncIterator[LocalProvider]:
    provider = LocalProvider(tmp_path, networks=[ip_network("127.0.0.0/8")], ports=(host,))
    yield provider
    for sandbox_id in await provider.labels():
        await provider.destroy(sandbox_id)


async def ask(provider: LocalProvider, *arguments: str, program: str = ASK) -> Ran:
    sandbox = await provider.create("one", NETWORK)
    return await sandbox.run(Command(("python3", "-c", program, *arguments), seconds=50.0))


async def test_a_host_that_is_allowed_is_reached(provider: LocalProvider, host: int) -> None:
    ran = await ask(provider, f"http://localhost:{host}/path?query", "body")
    text = ran.output.decode()
    assert text.startswith("POST /path?query HTTP/1.1\r\n"), text
    assert f"Host: localhost:{host}\r\n" in text
    assert text.endswith("\r\n\r\nbody\n")


async def test_a_tunnel_to_a_host_that_is_allowed(provider: LocalProvider, host: int) -> None:
    ran = await ask(provider, f"localhost:{host}", program=TUNNEL)
    assert ran.output.decode().splitlines()[0] == "HTTP/1.1 200 Connection established"
    assert b"GET /tunnel" in ran.output


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://other.example:{port}/", "may reach localhost, *.allowed.example, and not other"),
        ("http://allowed.example:{port}/", "not allowed.example"),
        ("http://127.0.0.1:{port}/", "not 127.0.0.1"),
        ("http://localhost:9/", "and not 9"),
        ("http://localhost.:9/", "and not 9"),
        ("http://user@other.example/@localhost:{port}/", "not other.example"),
    ],
)
async def test_other_hosts_are_refused(
    provider: LocalProvider, host: int, url: str, reason: str
) -> None:
    ran = await ask(provider, url.format(port=host))
    assert ran.output.startswith(b"403"), ran.output
    assert reason in ran.output.decode()


async def test_tunnels_to_other_hosts_are_refused(provider: LocalProvider, host: int) -> None:
    for target in ("other.example:443", "localhost:22", f"127.0.0.1:{host}", f"[::1]:{host}"):
        ran = await ask(provider, target, program=TUNNEL)
        assert ran.output.startswith(b"HTTP/1.1 403"), target
    for target in ("localhost", "", "localhost:x"):
        ran = await ask(provider, target, program=TUNNEL)
        assert ran.output.startswith(b"HTTP/1.1 400"), target


async def test_addresses_in_all_their_forms_are_refused(provider: LocalProvider, host: int) -> None:
    """Also the one that is opened: what is allowed is a name."""
    for address in ("[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1", "0", "[::]"):
        ran = await ask(provider, f"{address}:{host}", program=TUNNEL)
        assert ran.output.startswith(b"HTTP/1.1 403"), address


RAW = """
import socket, sys
way = socket.create_connection(("127.0.0.1", 3128))
way.sendall(sys.argv[1].encode().decode("unicode_escape").encode())
while piece := way.recv(1000): print(piece.decode(), end="")
"""


async def test_a_host_that_the_request_claims_is_not_believed(
    provider: LocalProvider, host: int
) -> None:
    line = f"GET http://localhost:{host}/ HTTP/1.1\\r\\n"
    head = f"{line}Host: other.example\\r\\nProxy-Authorization: Basic eDp5\\r\\n\\r\\n"
    # A second request behind the first, for somebody else.
    ran = await ask(provider, head + head.replace("localhost", "other.example"), program=RAW)
    text = ran.output.decode()
    assert text.startswith("HTTP/1.1 200")
    assert text.count("HTTP/1.1 200") == 1
    assert f"Host: localhost:{host}\r\n" in text
    assert "other.example" not in text
    assert "Proxy-Authorization" not in text


@pytest.mark.parametrize(
    "head",
    [
        "GET http://localhost:{port}/ HTTP/1.1\\r\\nHost: a\\r\\nX: a\\nHost: b\\r\\n\\r\\n",
        "GET http://localhost:{port}\\t/ HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n",
        "GET https://localhost:{port}/ HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n",
        "GET / HTTP/1.1\\r\\nHost: localhost:{port}\\r\\n\\r\\n",
        "GET file:///etc/passwd HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n",
        "\\x16\\x03\\x01\\r\\n\\r\\n",
    ],
)
async def test_what_is_no_request_to_a_proxy(provider: LocalProvider, host: int, head: str) -> None:
    ran = await ask(provider, head.format(port=host), program=RAW)
    assert ran.output.startswith(b"HTTP/1.1 400"), ran.output


async def test_a_name_that_leads_to_a_private_address_is_refused(tmp_path: Path, host: int) -> None:
    provider = LocalProvider(tmp_path, ports=(host,))
    ran = await ask(provider, f"http://localhost:{host}/")
    await provider.destroy("one")
    assert ran.output.startswith(b"403")
    assert b"no address on the internet" in ran.output


INSIDE = (
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "::1", "fe80::1%1"),
    *("169.254.169.254", "10.0.0.1", "0.0.0.0", "2002:7f00:1::1", "fd00::1", "::7f00:1"),
)


@pytest.mark.parametrize("address", INSIDE)
async def test_no_way_to_write_an_address_leads_inside(
    tmp_path: Path, host: int, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    def answer(*arguments: object, **options: object) -> list[object]:
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, host, 0, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    provider = LocalProvider(tmp_path, ports=(host,))
    ran = await ask(provider, f"rebound.allowed.example:{host}", program=TUNNEL)
    await provider.destroy("one")
    assert ran.output.startswith(b"HTTP/1.1 403")


async def test_a_name_that_changes_where_it_leads_is_looked_up_once(
    provider: LocalProvider, host: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the addresses that it leads to, only those are tried that may be reached."""
    answers = [["10.0.0.1", "127.0.0.1"], ["169.254.169.254"]]

    def answer(name: str, port: int, **options: Any) -> Sequence[object]:
        if name in ("127.0.0.1", "10.0.0.1"):
            return real(name, port, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (it, host)) for it in answers.pop(0)]

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", answer)
    ran = await ask(provider, f"rebound.allowed.example:{host}", program=TUNNEL)
    assert b"GET /tunnel" in ran.output
    assert answers == [["169.254.169.254"]]


async def test_the_host_that_is_told_is_the_one_that_was_checked(
    provider: LocalProvider, host: int
) -> None:
    program = (
        "import socket, sys\n"
        "way = socket.create_connection(('127.0.0.1', 3128))\n"
        "line = f'GET http://localhost:{sys.argv[1]}/x HTTP/1.1'\n"
        "way.sendall(f'{line}\\r\\nHost: other.example\\r\\n\\r\\n'.encode())\n"
        "while piece := way.recv(1000): print(piece.decode())\n"
    )
    ran = await ask(provider, str(host), program=program)
    assert f"Host: localhost:{host}\r\n" in ran.output.decode()
    assert b"other.example" not in ran.output


async def test_nothing_but_the_proxy_is_reached(provider: LocalProvider, host: int) -> None:
    sandbox = await provider.create("one", NETWORK)
    program = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])))"
    ran = await sandbox.run(Command(("python3", "-c", program, str(host))))
    assert b"ConnectionRefusedError" in ran.output
    ran = await sandbox.run(
        Command(("sh", "-c", "env | grep -i _proxy= | sort; cat /proc/net/dev"))
    )
    assert ran.output.count(b"_proxy=http://127.0.0.1:3128\n") == 2
    assert b"eth" not in ran.output


async def test_programs_find_the_proxy_by_themselves(provider: LocalProvider) -> None:
    sandbox = await provider.create("one", NETWORK)
    ran = await sandbox.run(Command(("git", "ls-remote", "https://other.example/x"), seconds=50.0))
    assert ran.exit_code != 0
    assert b"403" in ran.output


async def test_more_connections_than_there_may_be(provider: LocalProvider) -> None:
    program = (
        "import socket\n"
        "ways = [socket.create_connection(('127.0.0.1', 3128)) for _ in range(140)]\n"
        "print(ways[-1].recv(100).split(b'\\r\\n')[0].decode())\n"
    )
    ran = await ask(provider, program=program)
    assert ran.output == b"HTTP/1.1 503 Refused\n"


@pytest.mark.parametrize("host", ["*", "http://example.com", "10.0.0.1", "a b", ""])
async def test_a_host_that_is_none_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(Invalid, match="cannot be let"):
        await LocalProvider(tmp_path).create("one", SandboxLimits(network=(host,)))
