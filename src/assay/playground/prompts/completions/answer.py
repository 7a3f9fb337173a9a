"""The answer to a completion: piece by piece as server-sent events, or at once as JSON.

An error before the first piece is a problem document with its status; later it is the last event.
Whoever hangs up ends the call to the model, whatever it is doing.
"""

import json
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from assay.core.errors import AssayError
from assay.core.hanging_up import until_hung_up
from assay.core.problems import answer as problem_answer
from assay.gateway.types import ModelResponse, StreamPart
from assay.playground.prompts.completions.service import Question, described


class CompletionAnswer(Response):
    """Asks the model when it is sent, with no connection to the database in hand."""

    def __init__(self, question: Question, *, stream: bool) -> None:
        """Take what to ask."""
        kind = "text/event-stream" if stream else "application/json"
        super().__init__(
            media_type=kind, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        del self.headers["content-length"]
        self._question = question
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the answer (ASGI).

        Raises:
            ModelError: before anything is sent.
        """
        async with until_hung_up(receive):
            if self._stream:
                await self._send_events(Request(scope), send)
            else:
                question = self._question
                response = await question.model.complete(question.request)
                await self._start(send)
                await self._send(send, _json(described(response)), more=False)

    async def _send_events(self, request: Request, send: Send) -> None:
        question, started = self._question, False
        try:
            async with aclosing(question.model.stream(question.request)) as parts:
                async for part in parts:
                    if not started:
                        started = True
                        await self._start(send)
                    await self._send(send, _event(part))
        except AssayError as error:
            if not started:
                raise
            problem = bytes(problem_answer(request, error).body)
            await self._send(send, b'data: {"error": %b}\n\n' % problem)
        await self._send(send, b"", more=False)

    async def _start(self, send: Send) -> None:
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})

    async def _send(self, send: Send, body: bytes, *, more: bool = True) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": more})


def _event(part: StreamPart) -> bytes:
    content: dict[str, Any]
    content = {"done": described(part)} if isinstance(part, ModelResponse) else {"delta": part.text}
    return b"data: %b\n\n" % _json(content)


def _json(content: object) -> bytes:
    # A model can say what UTF-8 cannot hold, half of a pair of surrogates; escapes can.
    return json.dumps(content).encode()
