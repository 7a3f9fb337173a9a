"""Assertions as written, and their way to a grader."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from assay.core.errors import FieldFault, Invalid
from assay.core.templates import TemplateFault, compile_template
from assay.grading.checks import CheckFault, CheckType, Kind, Spec, kind_of
from assay.grading.grader import CompiledAssertion, CompiledSet, Entry, Grader, Label
from assay.grading.human import HumanAssertion
from assay.grading.judged import JudgedAssertion
from assay.grading.judges.dialogue import JudgedType
from assay.grading.judges.own_prompt import FIELD as PROMPT
from assay.grading.judges.own_prompt import compile_prompt
from assay.grading.judges.provider import FIELD as PROVIDER
from assay.grading.judges.provider import JudgeCheck, read_provider
from assay.grading.questions import Judges, PersonOptions
from assay.grading.registry import (
    ASSERT_SET,
    HUMAN,
    NEGATION,
    find_check_type,
    split_negation,
)
from assay.grading.values import compile_value

MAX_WEIGHT = 1_000_000
MAX_NESTING = 10
"""Levels of sets inside sets."""
MAX_DEADLINE = 366 * 24 * 3600.0
"""Seconds that people can be given."""
MAX_QUORUM = 100

Assignee = Annotated[str, Field(min_length=1, max_length=320)]

_NOBODY = Judges()


class AssertionFault(Invalid):
    """The assertions cannot be used."""

    code = "assertions"


class Assertion(BaseModel):
    """One thing asked of an answer, in promptfoo's terms.

    Attributes:
        type: A name from `registry.CHECK_TYPES`, or `assert-set`; `not-` before it turns it round.
        value: What the answer is held against; its texts can be templates over an item's variables.
        threshold: The limit, for types that have one; for `assert-set` the score from 0 to 1
            that is enough.
        weight: The share in the score; 0 measures without deciding.
        metric: A name to report the score under; can be a template.
        assert_: The assertions of an `assert-set`, written `assert`.
        provider: Whom a type that asks models asks: `provider/model`, an object with `id` and
            `config`, or `{"text": ..., "embedding": ...}`.
        rubric_prompt: What it asks, in place of its own prompt: a text, or a list of messages;
            written `rubricPrompt`.
        assignees: Of `human`: emails or ids of the users who are asked.
        role: Of `human`: the least role of those who may answer, in place of assignees.
        deadline: Of `human`: seconds that people have.
        default: Of `human`: the answer at the deadline; without it that is an error.
        priority: Of `human`: where it stands in the inbox of those who answer.
        quorum: Of `human`: how many have to answer.
        rule: Of `human`: how their answers become one.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    type: str = Field(min_length=1, max_length=100)
    value: JsonValue = None
    threshold: float | None = Field(default=None, ge=0, allow_inf_nan=False, strict=True)
    weight: float = Field(default=1.0, ge=0, le=MAX_WEIGHT, allow_inf_nan=False, strict=True)
    metric: str | None = Field(default=None, min_length=1, max_length=255)
    assert_: list["Assertion"] | None = Field(default=None, alias="assert", max_length=1000)
    provider: JsonValue = None
    rubric_prompt: JsonValue = Field(default=None, alias="rubricPrompt")
    assignees: list[Assignee] | None = Field(default=None, min_length=1, max_length=MAX_QUORUM)
    role: Literal["reviewer", "editor", "admin"] | None = None
    deadline: float | None = Field(
        default=None, gt=0, le=MAX_DEADLINE, allow_inf_nan=False, strict=True
    )
    default: bool | None = Field(default=None, strict=True)
    priority: Literal["low", "medium", "high", "urgent"] | None = None
    quorum: int | None = Field(default=None, ge=1, le=MAX_QUORUM, strict=True)
    rule: Literal["first", "majority", "unanimous"] | None = None


@dataclass(slots=True)
class _Compiler:
    """What all assertions of a list are compiled with, and what is wrong with them."""

    judges: Judges
    check: JudgeCheck | None
    faults: list[FieldFault]


def compile_assertions(
    assertions: Sequence[Assertion | dict[str, Any]],
    threshold: float | None = None,
    *,
    judges: Judges = _NOBODY,
    check: JudgeCheck | None = None,
) -> Grader:
    """Compile assertions into a grader, once for all the answers they are held against.

    Args:
        assertions: Assertions, or objects with their fields.
        threshold: The score from 0 to 1 that is enough for a cell to pass; without it, every
            assertion with a weight must pass.
        judges: Whom assertions ask that name nobody.
        check: Called for each assertion that asks models with its type and its judges; raises
            CheckFault where it has nobody to ask.

    Raises:
        AssertionFault: Its `errors` name each faulty place, such as `assertions[2].value`.
    """
    faults: list[FieldFault] = []
    if threshold is not None and not 0 <= threshold <= 1:
        faults.append(FieldFault("threshold", "This must be a number from 0 to 1."))
    entries = _compile_all(assertions, "assertions", _Compiler(judges, check, faults))
    if faults:
        count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise AssertionFault(f"The assertions have {count}.", errors=faults)
    return Grader(entries, threshold)


def _compile_all(
    assertions: Sequence[Assertion | dict[str, Any]], place: str, compiler: _Compiler
) -> list[Entry]:
    entries = []
    faults = compiler.faults
    for index, given in enumerate(assertions):
        here = f"{place}[{index}]"
        try:
            assertion = given if isinstance(given, Assertion) else Assertion.model_validate(given)
            entries.append(_compile(assertion, here, compiler))
        except ValidationError as error:
            faults.extend(_faults_of(error, here))
        except CheckFault as fault:
            faults.append(FieldFault(f"{here}.{fault.field}", str(fault)))
        except (ValueError, RecursionError) as error:
            faults.append(FieldFault(f"{here}.value", f"This cannot be used: {error}."))
    return entries


def _compile(assertion: Assertion, place: str, compiler: _Compiler) -> Entry:
    name, negated = split_negation(assertion.type)
    label = _label(assertion, negated)
    if name != HUMAN:
        _check_no_people(assertion)
    if name == ASSERT_SET:
        _check_set(assertion)
        if place.count(".assert[") >= MAX_NESTING:
            raise CheckFault(f"Sets can be nested {MAX_NESTING} levels deep.", "assert")
        entries = _compile_all(assertion.assert_ or [], f"{place}.assert", compiler)
        return CompiledSet(label, entries, assertion.threshold)
    if name == HUMAN:
        return _compile_human(assertion, label)
    check = find_check_type(name)
    if isinstance(check, JudgedType):
        return _compile_judged(assertion, check, label, compiler)
    _check_shape(assertion, check)
    spec = Spec(assertion.value, assertion.threshold)
    render = compile_value(assertion.value, check.kinds)
    return CompiledAssertion(label, check.prepare, spec, render)


def _compile_judged(
    assertion: Assertion, judged: JudgedType, label: Label, compiler: _Compiler
) -> Entry:
    name, value = assertion.type, assertion.value
    _check_no_set(assertion)
    _check_threshold(assertion, judged)
    if assertion.rubric_prompt is not None and not judged.takes_prompt:
        raise CheckFault(f"{name} compares embeddings, and takes no prompt.", PROMPT)
    given = assertion.rubric_prompt
    prompt = None if given is None else compile_prompt(given)
    if value is not None:
        _check_kind(assertion, judged.kinds)
    elif judged.kinds and not (prompt and judged.value == "or prompt"):
        raise CheckFault(f"{name} needs a value.")
    judges = read_provider(assertion.provider, judged).otherwise(compiler.judges)
    if compiler.check is not None:
        compiler.check(name, judged, judges)
    render = compile_value(value, judged.kinds)
    return JudgedAssertion(label, judged, Spec(value, assertion.threshold), render, judges, prompt)


def _compile_human(assertion: Assertion, label: Label) -> Entry:
    name, value = assertion.type, assertion.value
    _check_no_set(assertion)
    _check_no_judge(assertion)
    if assertion.threshold is not None:
        raise CheckFault(f"{name} takes no threshold: people say yes or no.", "threshold")
    if not isinstance(value, str) or not value.strip():
        raise CheckFault(f"{name} needs a value: the question that people answer, as text.")
    return HumanAssertion(label, value, compile_value(value), _person_options(assertion))


def _person_options(assertion: Assertion) -> PersonOptions:
    assignees = tuple(dict.fromkeys(assertion.assignees or ()))
    quorum = assertion.quorum or 1
    if assignees and assertion.role is not None:
        raise CheckFault("Name assignees or a role, not both.", "role")
    if assignees and quorum > len(assignees):
        raise CheckFault(f"Of {len(assignees)} assignees, {quorum} cannot answer.", "quorum")
    if quorum > 1 and assertion.rule == "first":
        raise CheckFault("Where the first answer decides, the quorum is 1.", "rule")
    if assertion.default is not None and assertion.deadline is None:
        raise CheckFault("A default counts at the deadline; give one.", "default")
    return PersonOptions(
        assignees,
        assertion.role,
        assertion.deadline,
        assertion.default,
        assertion.priority or "medium",
        quorum,
        assertion.rule or ("first" if quorum == 1 else "majority"),
    )


def _check_no_people(assertion: Assertion) -> None:
    for field in _OF_PEOPLE:
        if getattr(assertion, field) is not None:
            raise CheckFault(f"{assertion.type} asks nobody; only {HUMAN} does.", field)


def _label(assertion: Assertion, negated: bool) -> Label:
    try:
        metric = None if assertion.metric is None else compile_template(assertion.metric)
    except TemplateFault as fault:
        raise CheckFault(fault.detail, "metric") from None
    return Label(assertion.type, negated, assertion.weight, metric)


def _check_set(assertion: Assertion) -> None:
    _check_no_judge(assertion)
    if not assertion.assert_:
        raise CheckFault(f"{assertion.type} needs at least one assertion here.", "assert")
    if assertion.value is not None:
        raise CheckFault(f"{assertion.type} takes no value.")
    if assertion.threshold is not None and assertion.threshold > 1:
        raise CheckFault("The threshold of a set is a score from 0 to 1.", "threshold")


def _check_no_set(assertion: Assertion) -> None:
    if assertion.assert_ is not None:
        raise CheckFault(f"{assertion.type} takes no assertions; only {ASSERT_SET} does.", "assert")


def _check_no_judge(assertion: Assertion) -> None:
    for field, given in ((PROVIDER, assertion.provider), (PROMPT, assertion.rubric_prompt)):
        if given is not None:
            raise CheckFault(f"{assertion.type} asks no model, so this has no meaning.", field)


def _check_threshold(assertion: Assertion, judged: JudgedType) -> None:
    name, threshold = assertion.type, assertion.threshold
    if threshold is not None and not judged.threshold:
        raise CheckFault(f"{name} takes no threshold: it is met or not.", "threshold")
    if threshold is not None and judged.most is not None and threshold > judged.most:
        raise CheckFault("The threshold is a score from 0 to 1.", "threshold")


def _check_kind(assertion: Assertion, kinds: frozenset[Kind]) -> None:
    if not kinds:
        raise CheckFault(f"{assertion.type} takes no value; its limit is the threshold.")
    kind = kind_of(assertion.value)
    if kind not in kinds:
        wanted = " or ".join(sorted(kinds))
        raise CheckFault(f"The value of {assertion.type} must be of the kind {wanted}, not {kind}.")


def _check_shape(assertion: Assertion, check: CheckType) -> None:
    name = assertion.type
    _check_no_set(assertion)
    _check_no_judge(assertion)
    needed = {"required", "negated"} if name.startswith(NEGATION) else {"required"}
    if assertion.threshold is None and check.threshold in needed:
        raise CheckFault(f"{name} needs a threshold.", "threshold")
    if assertion.threshold is not None and check.threshold == "none":
        raise CheckFault(f"{name} takes no threshold.", "threshold")
    if assertion.value is None:
        if check.kinds and not check.value_optional:
            raise CheckFault(f"{name} needs a value.")
        return
    _check_kind(assertion, check.kinds)


def _faults_of(error: ValidationError, place: str) -> list[FieldFault]:
    return [
        FieldFault(place + _path(fault["loc"]), _MESSAGES.get(fault["type"], fault["msg"] + "."))
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _path(steps: tuple[int | str, ...]) -> str:
    if "value" in steps:
        # What follows names alternatives of the type of value, not places in it.
        steps = steps[: steps.index("value") + 1]
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


_OF_PEOPLE = ("assignees", "role", "deadline", "default", "priority", "quorum", "rule")
_FIELDS = ", ".join(field.alias or name for name, field in Assertion.model_fields.items())
_MESSAGES = {
    "extra_forbidden": f"There is no such field; the fields are {_FIELDS}.",
    "missing": "This is missing.",
    "recursion_depth_exceeded": "This is nested too deeply.",
    "model_type": "This must be an object with a type.",
}
