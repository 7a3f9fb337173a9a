"""What a scripted model does with a request: how long it takes, what fails, what it answers."""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from enum import StrEnum
from typing import Any

ChatRequest = dict[str, Any]
"""The JSON body of a chat completion request."""


@dataclass(frozen=True)
class Call:
    """A call of a tool; `arguments` as an object, or as text to send as it is."""

    tool: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str | None = None
    """`None`: one that no other call has."""


@dataclass(frozen=True)
class Turn:
    """What a scripted model says in one turn, and the tools that it calls."""

    text: str = ""
    calls: Sequence[Call] = ()


Conversation = Sequence[Turn | Callable[[ChatRequest], Turn]]
"""The turns of a model, one for each of its answers in a conversation."""


class Outcome(StrEnum):
    """How one request ends."""

    ok = "200"
    rate_limited = "429"
    server_error = "500"
    broken = "broken"
    malformed = "malformed"


@dataclass(kw_only=True)
class Script:
    """The behaviour of a scripted model; a change counts from the next request.

    Attributes:
        latency: seconds before an answer, or `(mean, jitter)`, uniform within mean ± jitter.
            A 429 comes at once.
        rate_429: part (0 to 1) of the requests that are told to slow down.
        rate_500: part that fails with a server error.
        rate_broken: part whose connection is closed, by turns without an answer and in the
            middle of one.
        rate_malformed: part that gets 200 with a body that is not the protocol's, by turns cut
            JSON and JSON without an answer in it.
        retry_after: seconds sent as `Retry-After` with each 429; `None` sends no such header.
        answer: a text, or a function from the request's JSON to a text; `None` gives the last
            user message back.
        judge: what answers requests for structured output (`response_format`), in place of
            `answer`: a JSON value, or a function from the request's JSON to one; a text is sent
            as it is, also where it is no JSON.
        turns: what the model says turn by turn, in place of `answer`: the turn is told by how
            many answers there are in the conversation already, so that the same question gets
            the same turn again. Or such conversations by a text that the question holds, for
            many at once; a question that holds none of them is answered as without.
        embedding: from a text to its vector; by default texts that share words are near.
        logprobs: from the request's JSON to a log-probability for each token of the answer, for
            requests with `logprobs: true` that are not streamed.
        models: the only models there are; empty takes any name.
        api_key: the only key that is let in; `None` lets everyone in.
        answers: the first answers, in this order; `answer` serves what comes after.
        seed: of the dice that choose which requests fail.
    """

    latency: float | tuple[float, float] = 0.0
    rate_429: float = 0.0
    rate_500: float = 0.0
    rate_broken: float = 0.0
    rate_malformed: float = 0.0
    retry_after: float | None = None
    answer: str | Callable[[ChatRequest], str] | None = None
    judge: Any = None
    turns: Conversation | Mapping[str, Conversation] = ()
    embedding: Callable[[str], Sequence[float]] | None = None
    logprobs: Callable[[ChatRequest], Sequence[float]] | None = None
    models: Sequence[str] = ()
    api_key: str | None = None
    answers: InitVar[Sequence[str]] = ()
    seed: InitVar[int] = 0
    _written: Iterator[str] = field(init=False, repr=False)
    _dice: random.Random = field(init=False, repr=False)

    def __post_init__(self, answers: Sequence[str], seed: int) -> None:
        self._written = iter(answers)
        self._dice = random.Random(seed)  # noqa: S311  # chooses failures, guards nothing
        rates = (self.rate_429, self.rate_500, self.rate_broken, self.rate_malformed)
        if min(rates) < 0.0 or sum(rates) > 1.0:
            raise ValueError("rates of failure are 0 or more and add up to at most 1")

    def outcome(self) -> Outcome:
        """How the next request ends."""
        thrown = self._dice.random()
        for rate, outcome in (
            (self.rate_429, Outcome.rate_limited),
            (self.rate_500, Outcome.server_error),
            (self.rate_broken, Outcome.broken),
            (self.rate_malformed, Outcome.malformed),
        ):
            if thrown < rate:
                return outcome
            thrown -= rate
        return Outcome.ok

    def delay(self) -> float:
        """How many seconds the next answer takes."""
        if not isinstance(self.latency, tuple):
            return self.latency
        mean, jitter = self.latency
        return max(0.0, mean + self._dice.uniform(-jitter, jitter))

    def turn_for(self, request: ChatRequest) -> Turn:
        """What answers `request`."""
        turns = self._conversation(request)
        if turns is None:
            return Turn(self.text_for(request))
        done = sum(message["role"] == "assistant" for message in request["messages"])
        if done >= len(turns):
            return Turn(f"the script has {len(turns)} turns, and this would be one more")
        turn = turns[done]
        return turn if isinstance(turn, Turn) else turn(request)

    def _conversation(self, request: ChatRequest) -> Conversation | None:
        if not self.turns:
            return None
        if not isinstance(self.turns, Mapping):
            return self.turns
        asked = "\n".join(
            _text_of(message) for message in request["messages"] if message["role"] != "assistant"
        )
        return next((turns for marker, turns in self.turns.items() if marker in asked), None)

    def text_for(self, request: ChatRequest) -> str:
        """The text that answers `request`."""
        if self.judge is not None and "response_format" in request:
            judged = self.judge(request) if callable(self.judge) else self.judge
            return judged if isinstance(judged, str) else json.dumps(judged)
        written = next(self._written, None)
        if written is not None:
            return written
        if self.answer is None:
            return last_user_message(request)
        return self.answer if isinstance(self.answer, str) else self.answer(request)


def form_of(request: ChatRequest) -> str | None:
    """The name of the schema that the answer has to follow; `None` where there is none."""
    form = request.get("response_format") or {}
    name: str | None = (form.get("json_schema") or {}).get("name")
    return name


def last_user_message(request: ChatRequest) -> str:
    """The text of the last user message; parts of it that are not text are left out."""
    for message in reversed(request["messages"]):
        if message["role"] == "user":
            return _text_of(message)
    return ""


def _text_of(message: dict[str, Any]) -> str:
    content = message["content"] or ""
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in content if part["type"] == "text")
