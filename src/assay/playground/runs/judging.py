"""Answers in front of judges: what graders want to know is asked through the gateway."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from assay.core.errors import AssayError
from assay.gateway.cache import CacheMode
from assay.gateway.embeddings import Embedder
from assay.gateway.service import Gateway
from assay.gateway.slots import Slots
from assay.gateway.types import Message, Model, ModelRequest
from assay.grading.grader import Grader
from assay.grading.questions import (
    BrokenAnswer,
    EmbeddingQuestion,
    Finding,
    Findings,
    JudgeQuestion,
    Question,
)
from assay.grading.results import Answer, Grading

# Grading a longer answer could hold up the event loop, so it goes to a thread.
LONG_ANSWER = 100_000
ATTEMPTS = 2
"""How often a judge may answer until its answer has the form that was asked for."""

# Vectors of expected texts that are kept; those of 1,536 numbers take 12 MB.
KEPT_VECTORS = 2000
# Findings that are kept because they are the same for every answer; a value can be a template.
KEPT_FINDINGS = 1000

_Place = tuple[str, str]


async def grade(
    grader: Grader, answer: Answer, variables: Mapping[str, object], findings: Findings
) -> Grading:
    """Grade an answer with what was found about it."""
    if len(answer.output) > LONG_ANSWER:
        return await asyncio.to_thread(grader.grade, answer, variables, findings)
    return grader.grade(answer, variables, findings)


@dataclass(slots=True)
class _Spent:
    """What asking one question has taken so far."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = 0.0

    def add(self, tokens_in: int, tokens_out: int, cost: float | None) -> None:
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out
        self.cost = None if cost is None or self.cost is None else self.cost + cost


class Judging:
    """The judges of one run in one worker.

    Their calls are calls of models like any other: they go through the gateway with the run's
    slots, which are held only while a call is in flight. A cell that waits for its judges holds
    none.
    """

    def __init__(self, gateway: Gateway, slots: Slots, cache: CacheMode) -> None:
        """Take the gateway, the slots of the run, and whether judgements may come from the cache.

        As for all models that is up to a temperature of 0.
        """
        self._gateway = gateway
        self._slots = slots
        self._cache = cache
        self._models: dict[str, Model] = {}
        self._embedders: dict[str, Embedder] = {}
        self._lasting: OrderedDict[bytes, asyncio.Task[Finding]] = OrderedDict()
        self._vectors: OrderedDict[_Place, NDArray[np.float32]] = OrderedDict()

    async def find(
        self, grader: Grader, answer: Answer, variables: Mapping[str, object]
    ) -> dict[bytes, Finding]:
        """What judges say of an answer; those that are needed are asked side by side."""
        findings: dict[bytes, Finding] = {}
        while questions := grader.questions(answer, variables, findings):
            found = await asyncio.gather(*map(self._find, questions))
            findings.update((each.key, it) for each, it in zip(questions, found, strict=True))
        return findings

    def close(self) -> None:
        """Break off what is being asked for several answers at once."""
        for asked in self._lasting.values():
            asked.cancel()

    async def _find(self, question: Question) -> Finding:
        if isinstance(question, EmbeddingQuestion):
            return await self._embed(question)
        return await (self._ask_once(question) if question.lasting else self._ask(question))

    async def _ask_once(self, question: JudgeQuestion) -> Finding:
        """What was found when this was first asked in the run; a failure is not kept."""
        known = self._lasting.get(question.key)
        asked = known or asyncio.create_task(self._ask(question))
        self._lasting[question.key] = asked
        if len(self._lasting) > KEPT_FINDINGS:
            self._lasting.popitem(last=False)
        # Who asks first may be broken off, and others wait for the same.
        found = await asyncio.shield(asked)
        if found.error is not None and self._lasting.get(question.key) is asked:
            del self._lasting[question.key]
        # Whoever asked first has it on their bill.
        return found if known is None else replace(found, tokens_in=0, tokens_out=0, cost=0.0)

    async def _ask(self, question: JudgeQuestion) -> Finding:
        name = question.model.name
        # What a prompt of the author's own renders to has the same shape.
        messages = cast("list[Message]", list(question.messages))
        spent = _Spent()
        fault = ""
        for _ in range(ATTEMPTS):
            request = ModelRequest(messages, question.model.parameters, question.form.schema)
            try:
                response = await self._model(name).complete(request)
            except AssayError as error:
                return _finding(name, spent, error=f"The judge {name} failed: {error}")
            spent.add(response.usage.tokens_in, response.usage.tokens_out, response.cost)
            try:
                return _finding(name, spent, value=question.form.read(response.text))
            except BrokenAnswer as broken:
                fault = str(broken)
                messages = [*messages, *_once_more(response.text, fault)]
        told = f"The judge {name} did not answer in the form it was asked for: {fault}."
        return _finding(name, spent, error=told)

    async def _embed(self, question: EmbeddingQuestion) -> Finding:
        name = question.model.name
        kept = [self._vectors.get((name, _place(question, text))) for text in question.expected]
        missing = [t for t, v in zip(question.expected, kept, strict=True) if v is None]
        spent = _Spent()
        try:
            made = await self._embedder(name).embed(
                [*missing, *question.texts], question.model.parameters
            )
        except AssayError as error:
            return _finding(name, spent, error=f"The model {name} made no embeddings: {error}")
        spent.add(made.usage.tokens_in, 0, made.cost)
        vectors = [np.asarray(vector, np.float32) for vector in made.vectors]
        for text, vector in zip(missing, vectors, strict=False):
            self._keep((name, _place(question, text)), vector)
        new = iter(vectors)
        expected = [next(new) if vector is None else vector for vector in kept]
        return _finding(name, spent, value=[*expected, *new])

    def _keep(self, place: _Place, vector: NDArray[np.float32]) -> None:
        self._vectors[place] = vector
        if len(self._vectors) > KEPT_VECTORS:
            self._vectors.popitem(last=False)

    def _model(self, name: str) -> Model:
        if name not in self._models:
            self._models[name] = self._gateway.model(name, self._slots, self._cache)
        return self._models[name]

    def _embedder(self, name: str) -> Embedder:
        if name not in self._embedders:
            self._embedders[name] = self._gateway.embedder(name, self._slots)
        return self._embedders[name]


def _place(question: EmbeddingQuestion, text: str) -> str:
    parameters = question.model.parameters
    return f"{sorted(parameters.items())} {text}" if parameters else text


def _once_more(answer: str, fault: str) -> Sequence[Message]:
    asked = f"That is not what was asked for: {fault}. Answer again, with the JSON object only."
    return [{"role": "assistant", "content": answer}, {"role": "user", "content": asked}]


def _finding(model: str, spent: _Spent, *, value: Any = None, error: str | None = None) -> Finding:
    return Finding(model, value, error, spent.tokens_in, spent.tokens_out, spent.cost)
