"""A server that answers as it is told, to see how often and with what it is asked."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CUT = "cut"


@dataclass
class Scripted:
    """What was asked, and what is answered: the last answer over and over."""

    answers: list[str]
    url: str = ""
    asked: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and close."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if length := re.search(r"content-length: (\d+)", head, re.IGNORECASE):
            await reader.readexactly(int(length[1]))
        self.asked.append(head)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer != CUT:
            writer.write(answer.encode())
            await writer.drain()
        writer.close()
        await writer.wait_closed()


def answer(status: int, body: str = "", **headers: str) -> str:
    """A whole response."""
    given = {"Content-Length": str(len(body.encode())), "Connection": "close"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n{body}"


@asynccontextmanager
async def scripted(*answers: str) -> AsyncIterator[Scripted]:
    """A server with this script, on loopback."""
    script = Scripted([*answers])
    async with await asyncio.start_server(script.serve, "127.0.0.1", 0) as server:
        script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield script
