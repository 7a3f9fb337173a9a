"""The tests of an evaluation file, each with what `defaultTest` adds to it.

As in promptfoo: variables and metadata of a test win over the default ones, the default
assertions come first, a variable that is a list of texts makes a test for each of them (all
combinations where there are several), and a threshold lets a test pass by its score alone.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from assay.grading.assertions import AssertionFault, compile_assertions
from assay.grading.registry import split_negation
from assay.playground.promptfoo.case_files import is_reference, read_entries, read_value
from assay.playground.promptfoo.files import Files
from assay.playground.promptfoo.judges import (
    NO_JUDGE_OPTIONS,
    JudgeOptions,
    read_judge_fields,
    read_judge_options,
    with_judges,
)
from assay.playground.promptfoo.judges import OPTIONS as JUDGE_OPTIONS
from assay.playground.promptfoo.node import Node
from assay.playground.promptfoo.suite import SuiteTest
from assay.playground.promptfoo.tables import enough_at
from assay.playground.promptfoo.types_not_here import TYPES_NOT_HERE

MAX_TESTS = 100_000
_FIELDS = ("description", "vars", "assert", "threshold", "metadata", "options")
_REFUSED = {
    "assertScoringFunction": "Code is not run: give assertions a weight, and the test a threshold.",
    "prompts": "Every test runs with every prompt: write a file for each group of tests.",
    "provider": "Every test runs with every provider: write a file for each group of tests.",
    "providerOutput": "Only answers of models are graded.",
    "providers": "Every test runs with every provider: write a file for each group of tests.",
}
_FLAGS = ("disableVarExpansion", "disableDefaultAsserts")
# These settle how conversations work, which are refused where used.
_IDLE_OPTIONS = {"disableConversationVar", "runSerially"}
_OPTIONS_REFUSED = {
    "factuality": "Categories have no scores of their own: D fails, and all others pass.",
    "postprocess": "Code is not run: ask for the answer in the form that you want to grade.",
    "prefix": "Write it into the prompt.",
    "storeOutputAs": "Tests are independent of each other here.",
    "suffix": "Write it into the prompt.",
    "transform": "Code is not run: ask for the answer in the form that you want to grade.",
    "transformVars": "Code is not run: write the variables as they are to be used.",
}
_FIELDS_NOT_HERE = {
    "transform": "Code is not run: ask for the answer in the form that you want to grade.",
    "contextTransform": "Code is not run: give the context as a variable.",
    "config": "Settings of an assertion in code are of no use here.",
}
_REFERENCE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_REFERENCE_PASSES = 5


@dataclass(slots=True)
class _Parts:
    """The fields of one test, or of `defaultTest`, as they are written."""

    description: str | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    assertions: list[dict[str, Any]] = field(default_factory=list)
    threshold: float | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    options: dict[str, bool] = field(default_factory=dict)
    judge: JudgeOptions = NO_JUDGE_OPTIONS


def read_tests(tests: Node, default: Node | None, files: Files) -> list[SuiteTest]:
    """The tests in the order of the configuration, also those in other files."""
    if default is not None and is_reference(default.value):
        default = next(iter(read_entries(default, files)), None)
    defaults = _Parts() if default is None else _read(default, files)
    if tests.value == []:
        tests.fault("This must hold at least one test.")
    made: list[SuiteTest] = []
    for entry in _entries(tests, files):
        parts = _read(entry, files)
        if len(made) + _combinations(parts, defaults) > MAX_TESTS:
            entry.fault(f"With this the file has more than {MAX_TESTS:,} tests.", ".vars")
            break
        made.extend(_combine(entry.place, parts, defaults))
    return made


def _entries(tests: Node, files: Files) -> Iterator[Node]:
    for entry in [tests] if isinstance(tests.value, str) else tests.entries():
        if isinstance(entry.value, str):
            yield from read_entries(entry, files)
        else:
            yield entry


def _read(node: Node, files: Files) -> _Parts:
    fields = node.fields(_FIELDS, _REFUSED)
    parts = _Parts()
    if "description" in fields:
        parts.description = fields["description"].text()
    if "vars" in fields:
        parts.variables = _variables(fields["vars"], files)
    if "assert" in fields:
        parts.assertions = _assertions(fields["assert"], files)
    if "threshold" in fields:
        parts.threshold = _threshold(fields["threshold"])
    if "metadata" in fields:
        parts.metadata = fields["metadata"].object()
    if "options" in fields:
        options = _options(fields["options"])
        parts.options = {name: options[name].flag() for name in _FLAGS if name in options}
        parts.judge = read_judge_options(options, files)
    return parts


def _variables(node: Node, files: Files) -> dict[str, Any]:
    if isinstance(node.value, str | list):
        return _variables_of_files(node, files)
    variables = dict(node.object())
    for name, value in variables.items():
        below = node.at(f".{name}", value)
        if is_reference(value):
            variables[name] = read_value(below, files)
        elif isinstance(value, list):
            variables[name] = [
                read_value(entry, files) if is_reference(entry.value) else entry.value
                for entry in below.entries()
            ]
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and re.search(r"\{[{%#]", _REFERENCE.sub("", text)):
                node.warn(
                    "of templates in a variable only {{ name }} is filled in; the rest stays as "
                    "it is",
                    f".{name}",
                )
    return variables


def _variables_of_files(node: Node, files: Files) -> dict[str, Any]:
    variables: dict[str, Any] = {}
    for entry in [node] if isinstance(node.value, str) else node.entries():
        for found in read_entries(entry, files):
            variables |= found.object()
    return variables


def _assertions(node: Node, files: Files) -> list[dict[str, Any]]:
    assertions = []
    for entry in node.entries():
        assertion = _carried_over(entry, files)
        if assertion is not None:
            assertions.append(assertion)
            _check(entry, assertion)
    return assertions


def _check(node: Node, assertion: dict[str, Any]) -> None:
    try:
        compile_assertions([assertion])
    except AssertionFault as error:
        for fault in error.errors:
            node.fault(fault.message, fault.place.removeprefix("assertions[0]"))


def _carried_over(node: Node, files: Files) -> dict[str, Any] | None:
    """An assertion without what only promptfoo has; `None` where nothing is left of it."""
    if not isinstance(node.value, dict):
        node.fault("This must be an object with a type.")
        return None
    assertion = dict(node.value)
    name = split_negation(str(assertion.get("type")))[0]
    if reason := TYPES_NOT_HERE.get(name):
        node.refuse(reason, ".type")
        return None
    for extra in assertion.keys() & _FIELDS_NOT_HERE.keys():
        node.refuse(_FIELDS_NOT_HERE[extra], f".{extra}")
        del assertion[extra]
    read_judge_fields(node, assertion, files)
    if is_reference(assertion.get("value")):
        assertion["value"] = read_value(node.at(".value", assertion["value"]), files)
        if assertion["value"] is None:
            return None
    if isinstance(inner := assertion.get("assert"), list):
        entries = node.at(".assert", inner).entries()
        kept = [each for entry in entries if (each := _carried_over(entry, files)) is not None]
        if not kept and inner:
            return None
        assertion["assert"] = kept
    return assertion


def _threshold(node: Node) -> float | None:
    value = node.value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    node.fault("This must be a score from 0 to 1.")
    return None


def _options(node: Node) -> dict[str, Node]:
    options = node.object()
    idle = options.keys() & _IDLE_OPTIONS
    for name in sorted(idle):
        node.warn("has no effect here", f".{name}")
    rest = {name: value for name, value in options.items() if name not in idle}
    return node.at("", rest).fields((*_FLAGS, *JUDGE_OPTIONS), _OPTIONS_REFUSED)


def _combine(place: str, parts: _Parts, defaults: _Parts) -> Iterator[SuiteTest]:
    options = {**defaults.options, **parts.options}
    assertions = [*defaults.assertions, *parts.assertions]
    if options.get("disableDefaultAsserts"):
        assertions = parts.assertions
    # Whom the defaults name is the judge of the whole run.
    prompt = defaults.judge.prompt if parts.judge.prompt is None else parts.judge.prompt
    assertions = with_judges(assertions, JudgeOptions(parts.judge.provider, prompt))
    threshold = defaults.threshold if parts.threshold is None else parts.threshold
    assertions = enough_at(assertions, threshold)
    for variables in _expansions(parts, defaults):
        yield SuiteTest(
            place=place,
            description=parts.description or defaults.description,
            variables=_resolved(variables),
            assertions=assertions,
            metadata={**defaults.metadata, **parts.metadata},
        )


def _choices(parts: _Parts, defaults: _Parts) -> Mapping[str, Sequence[Any]]:
    variables = {**defaults.variables, **parts.variables}
    expand = not {**defaults.options, **parts.options}.get("disableVarExpansion")
    return {
        # A list that does not begin with a text is one value, as in promptfoo.
        name: value
        if expand and isinstance(value, list) and value and isinstance(value[0], str)
        else [value]
        for name, value in variables.items()
    }


def _combinations(parts: _Parts, defaults: _Parts) -> int:
    return math.prod(len(values) for values in _choices(parts, defaults).values())


def _expansions(parts: _Parts, defaults: _Parts) -> Iterator[dict[str, Any]]:
    choices = _choices(parts, defaults)
    for values in product(*choices.values()):
        yield dict(zip(choices, values, strict=True))


def _resolved(variables: dict[str, Any]) -> dict[str, Any]:
    """Variables that name others, filled in; one newline at the end of a text is cut off.

    promptfoo does both, the latter because YAML's `|` puts it there. Variables that name each
    other in a circle are given up on after a few rounds.
    """
    resolved = {
        name: value.removesuffix("\n") if isinstance(value, str) else value
        for name, value in variables.items()
    }

    def fill(match: re.Match[str]) -> str:
        if match[1] not in resolved:
            return match[0]
        value = resolved[match[1]]
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    for _ in range(_REFERENCE_PASSES):
        before = dict(resolved)
        for name, value in before.items():
            if isinstance(value, str) and "{{" in value:
                resolved[name] = _REFERENCE.sub(fill, value)
        if resolved == before:
            break
    return resolved
