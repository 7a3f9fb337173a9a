"""What an evaluation file holds, in Assay's own terms."""

from dataclasses import dataclass, field
from typing import Any

from assay.core.errors import FieldFault, Invalid
from assay.playground.prompts.versions.schemas import VersionCreate


class SuiteFault(Invalid):
    """The evaluation file cannot be used; `errors` names each place."""

    code = "evaluation_file"


@dataclass(frozen=True, slots=True)
class SuitePrompt:
    """A prompt: `name` stays the same when its text changes, so it can have versions."""

    name: str
    version: VersionCreate


@dataclass(frozen=True, slots=True)
class SuiteProvider:
    """A model to ask.

    Attributes:
        place: where in the file it stands, such as `providers[1]`.
        model: its name as `provider/model`.
        label: its name in results, where one is given.
        parameters: temperature and so on.
    """

    place: str
    model: str
    label: str | None
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SuiteTest:
    """A test with what `defaultTest` gives to it, after lists of variables were expanded.

    Attributes:
        place: where in the file it stands, such as `tests[3]`; expanded ones share it.
        description: in the author's words, if any.
        variables: for the prompt and for templates in assertions.
        assertions: in the shape of `assay.grading.assertions.Assertion`.
        metadata: anything, for people.
    """

    place: str
    description: str | None
    variables: dict[str, Any]
    assertions: list[dict[str, Any]]
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Suite:
    """A whole evaluation file.

    Attributes:
        description: in the author's words, if any.
        prompts: at least one.
        providers: at least one.
        tests: at least one.
        max_concurrency: calls in flight at most, where the file says so.
        repeat: how often each cell is asked, where the file says so.
        cache: whether answers may come from the cache, where the file says so.
        judge: whom assertions ask that name nobody, in the shape of a run's `judge`.
        derived_metrics: in the shape of `assay.grading.derived`.
        warnings: what has no effect here and changes nothing, one line each with its place.
        left_out: what is not carried over, with the reason; only where that was asked for.
    """

    description: str | None
    prompts: list[SuitePrompt]
    providers: list[SuiteProvider]
    tests: list[SuiteTest]
    max_concurrency: int | None = None
    repeat: int | None = None
    cache: bool | None = None
    judge: dict[str, Any] | None = None
    derived_metrics: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    left_out: list[FieldFault] = field(default_factory=list)
