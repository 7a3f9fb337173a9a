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
from assay.grading.registry import ASSERT_SET, split_negation
from assay.playground.promptfoo.node import Node
from assay.playground.promptfoo.suite import SuiteTest

MAX_TESTS = 100_000
_FIELDS = ("description", "vars", "assert", "threshold", "metadata", "options")
_REFUSED = {
    "assertScoringFunction": "Code is not run: give assertions a weight, and the test a threshold.",
    "prompts": "Every test runs with every prompt: write a file for each group of tests.",
    "provider": "Every test runs with every provider: write a file for each group of tests.",
    "providerOutput": "Only answers of models are graded.",
    "providers": "Every test runs with every provider: write a file for each group of tests.",
}
_OPTIONS = ("disableVarExpansion", "disableDefaultAsserts")
# These settle how model-graded assertions and conversations work, which are refused where used.
_IDLE_OPTIONS = {
    "disableConversationVar",
    "factuality",
    "provider",
    "rubricPrompt",
    "runSerially",
}
_OPTIONS_REFUSED = {
    "postprocess": "Code is not run: ask for the answer in the form that you want to grade.",
    "prefix": "Write it into the prompt.",
    "storeOutputAs": "Tests are independent of each other here.",
    "suffix": "Write it into the prompt.",
    "transform": "Code is not run: ask for the answer in the form that you want to grade.",
    "transformVars": "Code is not run: write the variables as they are to be used.",
}
_CODE_TYPES = {"javascript", "python", "ruby", "webhook"}
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


def read_tests(tests: Node, default: Node | None, warnings: list[str]) -> list[SuiteTest]:
    """The tests in the order of the file; what has no effect goes to `warnings`."""
    defaults = _Parts() if default is None else _read(default, warnings)
    entries = tests.entries()
    if tests.value == []:
        tests.fault("This must hold at least one test.")
    made: list[SuiteTest] = []
    for entry in entries:
        parts = _read(entry, warnings)
        if len(made) + _combinations(parts, defaults) > MAX_TESTS:
            entry.fault(f"With this the file has more than {MAX_TESTS:,} tests.", ".vars")
            break
        made.extend(_combine(entry.place, parts, defaults))
    return made


def _read(node: Node, warnings: list[str]) -> _Parts:
    if isinstance(node.value, str):
        node.fault("Tests in other files are not read yet: write them here.")
        return _Parts()
    fields = node.fields(_FIELDS, _REFUSED)
    parts = _Parts()
    if "description" in fields:
        parts.description = fields["description"].text()
    if "vars" in fields:
        parts.variables = _variables(fields["vars"], warnings)
    if "assert" in fields:
        parts.assertions = _assertions(fields["assert"])
    if "threshold" in fields:
        parts.threshold = _threshold(fields["threshold"])
    if "metadata" in fields:
        parts.metadata = fields["metadata"].object()
    if "options" in fields:
        parts.options = _options(fields["options"], warnings)
    return parts


def _variables(node: Node, warnings: list[str]) -> dict[str, Any]:
    if isinstance(node.value, str):
        node.fault("Variables in other files are not read yet: write them here.")
        return {}
    variables = node.object()
    for name, value in variables.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and text.startswith("file://"):
                node.fault("Files are not read as variables yet: write the text here.", f".{name}")
            elif isinstance(text, str) and re.search(r"\{[{%#]", _REFERENCE.sub("", text)):
                warnings.append(
                    f"{node.place}.{name}: of templates in a variable only {{{{ name }}}} is "
                    "filled in; the rest stays as it is"
                )
    return variables


def _assertions(node: Node) -> list[dict[str, Any]]:
    assertions = [entry.value for entry in node.entries() if _is_carried_over(entry)]
    if len(assertions) == len(node.value):
        try:
            compile_assertions(assertions)
        except AssertionFault as fault:
            for each in fault.errors:
                node.fault(each.message, each.place.removeprefix("assertions"))
    return assertions


def _is_carried_over(node: Node) -> bool:
    """Whether nothing in an assertion is of a kind that only promptfoo has."""
    if not isinstance(node.value, dict):
        node.fault("This must be an object with a type.")
        return False
    name = str(node.value.get("type"))
    if split_negation(name)[0] in _CODE_TYPES:
        node.fault("Code in assertions is not run: use regex, contains-json and so on.", ".type")
        return False
    if str(node.value.get("value")).startswith("file://"):
        node.fault("Files are not read here yet: write the value itself.", ".value")
        return False
    inner = node.value.get("assert")
    if not isinstance(inner, list):
        return True
    carried_over = [_is_carried_over(entry) for entry in node.at(".assert", inner).entries()]
    return all(carried_over)


def _threshold(node: Node) -> float | None:
    value = node.value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    node.fault("This must be a score from 0 to 1.")
    return None


def _options(node: Node, warnings: list[str]) -> dict[str, bool]:
    options = node.object()
    idle = options.keys() & _IDLE_OPTIONS
    warnings.extend(f"{node.place}.{name}: has no effect here" for name in sorted(idle))
    rest = {name: value for name, value in options.items() if name not in idle}
    fields = node.at("", rest).fields(_OPTIONS, _OPTIONS_REFUSED)
    return {name: flag.flag() for name, flag in fields.items()}


def _combine(place: str, parts: _Parts, defaults: _Parts) -> Iterator[SuiteTest]:
    options = {**defaults.options, **parts.options}
    assertions = [*defaults.assertions, *parts.assertions]
    if options.get("disableDefaultAsserts"):
        assertions = parts.assertions
    threshold = defaults.threshold if parts.threshold is None else parts.threshold
    if threshold is not None and assertions:
        assertions = [{"type": ASSERT_SET, "assert": assertions, "threshold": threshold}]
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
