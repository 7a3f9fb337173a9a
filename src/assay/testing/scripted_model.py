"""A model server on loopback that does what a script says, for tests and benchmarks.

It speaks the OpenAI chat protocol (`POST /v1/chat/completions`, streamed too, and
`GET /v1/models`) and that for embeddings (`POST /v1/embeddings`) over real sockets. In a process
of its own::

    python -m assay.testing.scripted_model --port 8000 --latency 0.05 --rate-429 0.05

prints its base URL; `GET /stats` then gives the counters and `POST /stats/reset` clears them.
"""

import argparse
import asyncio
import itertools
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import orjson
from aiohttp import web

from assay.testing.chat_wire import completion, error, events, json_response
from assay.testing.embedding_wire import embeddings, texts_of, words_vector
from assay.testing.script import ChatRequest, Outcome, Script, last_user_message

if sys.platform == "win32":
    from asyncio import new_event_loop
else:
    from uvloop import new_event_loop

CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"
LARGEST_REQUEST = 64 * 1024**2


@dataclass(slots=True)
class Counters:
    """What a server has seen.

    Attributes:
        requests: for chat completions and embeddings, however they ended.
        in_flight: being answered now.
        most_in_flight: the most at any moment.
        statuses: requests by how they ended: `200`, `401`, `404`, `429`, `500`, `broken`,
            `malformed`.
        asked: how often each last user message came.
        embedded: how often each text came to be embedded.
    """

    requests: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    embedded: Counter[str] = field(default_factory=Counter)

    def start(self) -> None:
        """A request comes in."""
        self.requests += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def reset(self) -> None:
        """Count anew; what is in flight stays counted."""
        self.requests = 0
        self.most_in_flight = self.in_flight
        self.statuses.clear()
        self.asked.clear()
        self.embedded.clear()


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    """A request as large as the long conversation of an agent, which real servers take too."""
    loop, most = asyncio.get_running_loop(), LARGEST_REQUEST
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=most)


@dataclass(kw_only=True)
class ScriptedModelServer(Script):
    """A script with a socket: serves on loopback while entered as an async context manager.

    Example::

        async with ScriptedModelServer(answer="yes", rate_500=0.05) as server:
            ...  # with OPENAI_BASE_URL=server.base_url
        assert server.counters.most_in_flight <= 8

    Attributes:
        port: 0 takes any free one.
        remember: whether `counters.asked` is kept. It costs memory for each different message:
            switch it off for long benchmarks.
        counters: what the server has seen.
        last_request: the JSON of the last request for a chat completion or embeddings.
        last_headers: its headers.
    """

    port: int = 0
    remember: bool = True
    counters: Counters = field(default_factory=Counters, init=False)
    last_request: ChatRequest = field(default_factory=dict, init=False)
    last_headers: Mapping[str, str] = field(default_factory=dict, init=False)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count, init=False)
    _runner: web.ServerRunner | None = field(default=None, init=False)

    @property
    def base_url(self) -> str:
        """What a client takes as its base URL; known once the server is entered."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        # A client that hangs up ends its request here too, or it would count as in flight.
        server = web.Server(
            self._serve,
            request_factory=_request,
            access_log=None,
            handler_cancellation=True,
        )
        self._runner = web.ServerRunner(server)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, backlog=1024).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path in {CHAT, EMBEDDINGS}:
            self.counters.start()
            try:
                return await self._answer(request)
            finally:
                self.counters.in_flight -= 1
        if request.path == "/v1/models":
            models = [{"id": name, "object": "model"} for name in self.models or ("scripted",)]
            return json_response({"object": "list", "data": models})
        if request.path == "/stats/reset":
            self.counters.reset()
        if request.path in {"/stats", "/stats/reset"}:
            counters = self.counters
            return json_response({name: getattr(counters, name) for name in counters.__slots__})
        return error(404, f"there is no {request.path} here; try /v1/chat/completions")

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.last_headers = request.headers
        self.last_request = asked = orjson.loads(await request.read())
        if self.remember:
            self._note(request.path, asked)
        refusal = self._refusal(request, asked)
        if refusal is not None:
            self.counters.statuses[str(refusal.status)] += 1
            return refusal
        outcome = self.outcome()
        self.counters.statuses[outcome.value] += 1
        if outcome is Outcome.rate_limited:
            return error(429, "slow down", retry_after=self.retry_after)
        delay = self.delay()
        if delay:
            await asyncio.sleep(delay)
        return await self._end(outcome, request, asked)

    def _note(self, path: str, asked: ChatRequest) -> None:
        if path == EMBEDDINGS:
            self.counters.embedded.update(texts_of(asked))
        else:
            self.counters.asked[last_user_message(asked)] += 1

    def _refusal(self, request: web.BaseRequest, asked: ChatRequest) -> web.Response | None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.api_key is not None and given != self.api_key:
            return error(401, f"Incorrect API key provided: {given}", code="invalid_api_key")
        if self.models and asked["model"] not in self.models:
            return error(404, f"there is no model {asked['model']}", code="model_not_found")
        return None

    async def _end(
        self, outcome: Outcome, request: web.BaseRequest, asked: ChatRequest
    ) -> web.StreamResponse:
        number = next(self._numbers)
        if outcome is Outcome.server_error:
            return error(500, "the scripted model failed, as its script says")
        if outcome is Outcome.broken:
            return await _break_off(request, midway=number % 2 == 1)
        if outcome is Outcome.malformed:
            body = b'{"id": "cut", "choices": [{"mess' if number % 2 else b'{"choices": []}'
            return web.Response(body=body, content_type="application/json")
        if request.path == EMBEDDINGS:
            return embeddings(asked, self.embedding or words_vector)
        turn = self.turn_for(asked)
        if not asked.get("stream"):
            logprobs = self.logprobs if asked.get("logprobs") is True else None
            return completion(number, asked, turn, logprobs(asked) if logprobs else None)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in events(number, asked, turn):
            await response.write(event)
        return response


async def _break_off(request: web.BaseRequest, *, midway: bool) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    if midway:
        await response.prepare(request)
        await response.write(b'{"id": "cut')
    if request.transport is not None:
        request.transport.close()
    return response


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m assay.testing.scripted_model", description="A scripted model server."
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before an answer")
    parser.add_argument("--jitter", type=float, default=0.0, help="latency ± this many seconds")
    for rate in ("429", "500", "broken", "malformed"):
        parser.add_argument(f"--rate-{rate}", type=float, default=0.0, help="part, 0 to 1")
    parser.add_argument("--retry-after", type=float, help="seconds, sent with each 429")
    parser.add_argument("--seed", type=int, default=0, help="of the dice that choose failures")
    parser.add_argument("--answer", help="this text to everything, in place of an echo")
    parser.add_argument("--no-remember", dest="remember", action="store_false")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> None:
    options = vars(arguments)
    latency = (options.pop("latency"), options.pop("jitter"))
    async with ScriptedModelServer(latency=latency, **options) as server:
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    """Serve until interrupted."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_run(_arguments()))


if __name__ == "__main__":
    main()
