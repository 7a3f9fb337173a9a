"""POST to hostile receivers: each is survived, in time, and nothing inside is reached."""

import asyncio
import gzip
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.receivers import OK, endless, hang, receiver, reset, saying, status

from assay.core.outbound import UrlRefused, parse_networks
from assay.core.outbound_http import MAX_EXCERPT, NoAnswer, Reply, post

LOOPBACK = parse_networks(["127.0.0.1"])


async def send(url: str, *, seconds: float = 5) -> Reply:
    return await post(url, b"{}", {"webhook-id": "msg_1"}, LOOPBACK, seconds=seconds)


async def test_what_is_sent_and_what_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with receiver(status("202 Accepted", "Set-Cookie: a=1", body="taken")) as there:
        assert await send(there.url) == Reply(202, None, "taken")
        await send(there.url)
    first, second = there.received
    assert first.line == "POST /hook HTTP/1.1"
    assert first.body == b"{}"
    assert first.headers["host"] == f"127.0.0.1:{there.port}"
    assert first.headers["webhook-id"] == "msg_1"
    assert first.headers["accept-encoding"] == "identity"
    assert "cookie" not in second.headers


async def test_redirects_are_given_back_and_not_followed() -> None:
    async with receiver() as inner, receiver() as there:
        there.answer = status("302 Found", f"Location: {inner.url}")
        assert (await send(there.url)).status == 302
        assert inner.received == []


async def test_a_receiver_that_hangs_has_its_time() -> None:
    async with receiver(hang) as there:
        begun = time.monotonic()
        with pytest.raises(NoAnswer, match=r"no answer within 0\.3 seconds"):
            await send(there.url, seconds=0.3)
        assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    ("head", "more"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"a" * 4000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a" * 4000),
        (b"HTTP/1.1 200 ", b"a" * 4000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"\x00\xff\x01", b"\x00" * 4000),
    ],
)
async def test_an_answer_that_never_gets_to_its_body_is_none(head: bytes, more: bytes) -> None:
    async with receiver(endless(head, more)) as there:
        with pytest.raises(NoAnswer) as caught:
            await send(there.url, seconds=1)
    assert len(caught.value.detail) <= MAX_EXCERPT
    assert "\x00" not in caught.value.detail


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
    ],
)
async def test_of_an_endless_body_the_start_is_read(head: bytes) -> None:
    async with receiver(endless(head, b"a" * 4096)) as there:
        assert await send(there.url) == Reply(200, None, "a" * MAX_EXCERPT)
        async with asyncio.timeout(5):
            while there.open_connections:
                await asyncio.sleep(0.01)


async def test_the_status_counts_where_the_body_breaks_off() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf"
    async with receiver(saying(answer)) as there:
        assert await send(there.url) == Reply(200, None, "half")


async def test_a_bomb_is_not_unpacked_and_text_is_clean() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with receiver(saying(head + bomb)) as there:
        assert (await send(there.url)).excerpt == ""
        there.answer = saying(b"HTTP/1.1 500 X\r\nContent-Length: 7\r\n\r\na\0\xff\x1b[1m")
        reply = await send(there.url)
    assert reply == Reply(500, None, "a\ufffd\ufffd\ufffd[1m")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello\r\n\r\n",
        b"HTTP/1.1 999999 X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA B\r\n\r\n",
        b"\x16\x03\x01",
    ],
)
async def test_what_is_not_http_is_no_answer(content: bytes) -> None:
    async with receiver(saying(content)) as there:
        with pytest.raises(NoAnswer):
            await send(there.url)


async def test_a_reset_and_a_closed_port_are_no_answer() -> None:
    async with receiver(reset) as there:
        with pytest.raises(NoAnswer, match="broke off"):
            await send(there.url)
    with pytest.raises(NoAnswer, match="cannot be connected to"):
        await send(there.url)


async def test_a_receiver_without_tls_is_no_answer() -> None:
    async with receiver(saying(OK)) as there:
        with pytest.raises(NoAnswer):
            await send(there.url.replace("http:", "https:"))


def self_signed(folder: Path, name: str) -> ssl.SSLContext:
    """TLS for a server by a certificate that nobody else vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
        + certificate.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_tls_names_the_host_and_not_the_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named: list[str | None] = []
    context = self_signed(tmp_path, "moving.example")
    context.sni_callback = lambda _connection, name, _context: named.append(name)
    resolving(monkeypatch, ["127.0.0.1"])
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NoAnswer, match=r"certificate of moving\.example is not valid"):
            await send(f"https://moving.example:{port}/")
    assert named == ["moving.example"]


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let name servers answer with these, one after the other; gives the names looked up."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != "moving.example":
            return real(host, port, *rest, **more)
        addresses = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [info for address in addresses for info in real(address, port, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


async def test_a_name_is_looked_up_once_an_attempt_and_connected_to_as_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A second answer that points inside, within an attempt or at the next one, gets nowhere."""
    asked = resolving(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    async with receiver() as there:
        url = f"http://moving.example:{there.port}/"
        assert (await send(url)).status == 200
        assert asked == ["moving.example"]
        assert there.received[0].headers["host"] == f"moving.example:{there.port}"
        with pytest.raises(UrlRefused, match=r"moving\.example .* 169\.254\.169\.254"):
            await send(url)
        assert len(there.received) == 1


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1", "10.0.0.1"], ["127.0.0.2"], ["::1", "127.0.0.1"], ["0.0.0.0"]]
)
async def test_one_address_inside_refuses_the_name(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    resolving(monkeypatch, addresses)
    async with receiver() as there:
        with pytest.raises(UrlRefused):
            await send(f"http://moving.example:{there.port}/")
        assert there.received == []


async def test_addresses_in_urls_are_checked_as_well() -> None:
    async with receiver() as there:
        for host in ("127.0.0.2", "127.1", "2130706433", "[::1]", "0x7f.0.0.1", "localhost"):
            allowed = parse_networks(["8.8.8.8"])
            with pytest.raises(UrlRefused):
                await post(f"http://{host}:{there.port}/", b"", {}, allowed)
        assert there.received == []


async def test_a_name_that_is_not_there_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    with pytest.raises(NoAnswer, match=r"gone\.example cannot be resolved"):
        await send("http://gone.example/")
