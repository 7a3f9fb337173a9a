"""A model server for load: it answers after a time, echoes, counts, and does nothing else.

Where a benchmark shares its machine with the model it asks, the model should take as little of
it as it can. This one costs about a third of the scripted server, and has no failures, no
streaming and no script::

    python -m assay.testing.load_model --latency 0.05

prints its base URL; `GET /stats` and `POST /stats/reset` are those of the scripted server.
"""

import argparse
import asyncio
import sys
from typing import cast

import httptools
import orjson

from assay.testing.chat_wire import completion_body
from assay.testing.script import last_user_message

if sys.platform == "win32":
    from asyncio import new_event_loop
else:
    from uvloop import new_event_loop


class LoadModelServer:
    """What all connections share: the latency (seconds), and the counters."""

    def __init__(self, latency: float) -> None:
        """Answer each chat completion after `latency` seconds."""
        self.latency = latency
        self.requests = 0
        self.in_flight = 0
        self.most_in_flight = 0

    def start(self) -> int:
        """A chat completion comes in; gives its number."""
        self.requests += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return self.requests

    def reset(self) -> None:
        """Count anew; what is in flight stays counted."""
        self.requests = 0
        self.most_in_flight = self.in_flight

    def stats(self) -> dict[str, int]:
        """The counters, by their names in `assay.testing.scripted_model.Counters`."""
        return {
            "requests": self.requests,
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
        }


class _Connection(asyncio.Protocol):
    """One keep-alive connection; the callbacks are those of asyncio and of httptools."""

    def __init__(self, server: LoadModelServer) -> None:
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        if self._path == b"/v1/chat/completions":
            request = orjson.loads(body)
            number = self._server.start()
            answer = completion_body(number, request, last_user_message(request))
            loop = asyncio.get_running_loop()
            loop.call_later(self._server.latency, self._answer, orjson.dumps(answer))
            return
        if self._path == b"/stats/reset":
            self._server.reset()
        self._send(orjson.dumps(self._server.stats()))

    def _answer(self, body: bytes) -> None:
        self._server.in_flight -= 1
        self._send(body)

    def _send(self, body: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )


async def _run(latency: float) -> None:
    server = LoadModelServer(latency)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: _Connection(server), "127.0.0.1", 0, backlog=1024)
    port = listener.sockets[0].getsockname()[1]
    sys.stdout.write(f"http://127.0.0.1:{port}/v1\n")
    sys.stdout.flush()
    await listener.serve_forever()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m assay.testing.load_model", description="A model server for load."
    )
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before an answer")
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_run(parser.parse_args().latency))


if __name__ == "__main__":
    main()
