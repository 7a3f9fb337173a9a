"""What graders ask of models and of people, and what came of it. The caller does the asking."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

import orjson
from jsonschema_rs import Validator, validator_for

from assay.grading.checks import CheckFault
from assay.grading.json_checks import embedded_json

Message = dict[str, Any]
"""A message of a conversation, `{"role": ..., "content": ...}`."""

# Not every provider takes a schema with these, so they are checked here alone.
_BOUNDS = ("minimum", "maximum")
LONGEST_TITLE = 255
"""Characters of the title of a question to people."""


class BrokenAnswer(Exception):
    """A judge's answer is not what it was asked for; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class JudgeModel:
    """A model that is asked for a judgement or for embeddings: `provider/model`."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judges:
    """The models that an assertion may ask; `None` where none is named."""

    text: JudgeModel | None = None
    embedding: JudgeModel | None = None

    def otherwise(self, other: "Judges") -> "Judges":
        """These, and of `other` what is not named here."""
        return Judges(self.text or other.text, self.embedding or other.embedding)


class AnswerForm:
    """The form in which a judge has to answer: an object with these members, in their order.

    Attributes:
        schema: the JSON Schema that goes to the model.
    """

    def __init__(self, title: str, **members: Mapping[str, Any]) -> None:
        """`members`: a JSON Schema for each, with a `description`."""
        whole = {
            "title": title,
            "type": "object",
            "properties": members,
            "required": list(members),
            "additionalProperties": False,
        }
        self.schema: Mapping[str, Any] = _without_bounds(whole)
        self._validator: Validator = validator_for(whole)

    def read(self, text: str) -> dict[str, Any]:
        """The object in a judge's answer; prose around it counts for nothing.

        Raises:
            BrokenAnswer: there is none in this form.
        """
        fault = "there is no JSON object in it"
        found: dict[str, Any] | None = None
        for document in _documents(text):
            error = next(iter(self._validator.iter_errors(document)), None)
            if error is None:
                # Who thinks aloud may quote others; what counts is said last.
                found = document
            else:
                fault = error.message[:200]
        if found is None:
            raise BrokenAnswer(fault)
        return found


def _documents(text: str) -> list[Any]:
    try:
        return [orjson.loads(text)]
    except orjson.JSONDecodeError:
        pass
    try:
        return list(embedded_json(text))
    except CheckFault as fault:
        raise BrokenAnswer(str(fault)) from None


def _without_bounds(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {name: _without_bounds(v) for name, v in schema.items() if name not in _BOUNDS}
    return [_without_bounds(v) for v in schema] if isinstance(schema, list) else schema


@dataclass(frozen=True, slots=True)
class JudgeQuestion:
    """A conversation for a judge to answer in a form.

    Attributes:
        model: whom to ask.
        messages: the conversation.
        form: how to answer.
        lasting: the same is asked about every answer, so what is found is worth keeping.
        key: equal for equal questions.
    """

    model: JudgeModel
    messages: Sequence[Message]
    form: AnswerForm
    lasting: bool = False
    key: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", _key(self.model, self.messages, self.form.schema))


@dataclass(frozen=True, slots=True)
class EmbeddingQuestion:
    """Texts to be turned into vectors.

    Attributes:
        model: whom to ask.
        expected: texts that many answers are held against.
        texts: texts of this answer alone.
        key: equal for equal questions.
    """

    model: JudgeModel
    expected: tuple[str, ...]
    texts: tuple[str, ...]
    key: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", _key(self.model, self.expected, self.texts))


Question = JudgeQuestion | EmbeddingQuestion
"""What a model is asked."""


@dataclass(frozen=True, slots=True)
class PersonOptions:
    """Who is asked for a yes or no, and how they decide.

    Attributes:
        assignees: emails or ids of users; where there are none and no role, any reviewer.
        role: the least role of those who may answer.
        deadline: seconds from the question to its end; `None` waits for as long as it takes.
        default: the answer at the deadline; `None` makes that an error.
        priority: low, medium, high or urgent.
        quorum: how many have to answer.
        rule: how their answers become one: first, majority or unanimous.
    """

    assignees: tuple[str, ...] = ()
    role: str | None = None
    deadline: float | None = None
    default: bool | None = None
    priority: str = "medium"
    quorum: int = 1
    rule: str = "first"


@dataclass(frozen=True, slots=True)
class PersonQuestion:
    """A question about an answer that a person says yes or no to.

    Attributes:
        text: what is asked.
        options: who is asked, and how they decide.
        title: the question in one line, of at most 255 characters.
        key: equal for equal questions about one answer.
    """

    text: str
    options: PersonOptions
    title: str = field(init=False)
    key: bytes = field(init=False)

    def __post_init__(self) -> None:
        line = " ".join(self.text.split())
        fits = len(line) <= LONGEST_TITLE
        object.__setattr__(self, "title", line if fits else f"{line[: LONGEST_TITLE - 1]}…")
        content = orjson.dumps(["person", self.text, asdict(self.options)])
        object.__setattr__(self, "key", hashlib.sha256(content).digest())


def _key(model: JudgeModel, *asked: object) -> bytes:
    content = orjson.dumps(
        [model.name, dict(model.parameters), *asked],
        option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS,
    )
    return hashlib.sha256(content).digest()


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a question.

    Attributes:
        model: who was asked, `provider/model`; `None` where it was people.
        value: an object in the form that was asked for; of an `EmbeddingQuestion` the vectors,
            first those of `expected`, then those of `texts`; of a `PersonQuestion`
            `{"approved": bool, "reason": str | None, "by": [names]}`.
        error: why there is no value.
        tokens_in: tokens of all attempts.
        tokens_out: the same of the answers.
        cost: USD of all attempts; None where the price is not known.
    """

    model: str | None
    value: Any = None
    error: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = 0.0


Findings = Mapping[bytes, Finding]
"""Findings by the key of their question."""

NO_FINDINGS: Findings = MappingProxyType({})
