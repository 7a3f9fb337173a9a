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
from assay.playground.promptfoo.case_files import is_reference, read_entries, read_value
from assay.playground.promptfoo.files import Files
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
_CODE = "Code in assertions is not run: use regex, contains-json and so on."
# Types that promptfoo has and Assay does not, each with the reason or the remedy.
_NOT_HERE = {
    "javascript": _CODE,
    "python": _CODE,
    "ruby": _CODE,
    "webhook": "Assertions call no other servers.",
    "guardrails": "Guardrails of providers are not looked at.",
    "is-refusal": "Ask with llm-rubric, or look for the words of a refusal with icontains-any.",
    "is-sql": "SQL is not parsed: use regex, or llm-rubric.",
    "contains-sql": "SQL is not parsed: use regex, or llm-rubric.",
    "is-xml": "XML is not parsed: use regex.",
    "contains-xml": "XML is not parsed: use regex.",
    "is-html": "HTML is not parsed: use regex.",
    "contains-html": "HTML is not parsed: use regex.",
    "is-valid-function-call": "Calls of functions are not graded.",
    "is-valid-openai-function-call": "Calls of functions are not graded.",
    "is-valid-openai-tools-call": "Calls of tools are not graded.",
    "tool-call-f1": "Calls of tools are not graded.",
    "skill-used": "Skills of agents are not graded.",
    "finish-reason": "The reason why an answer ended is not graded.",
    "human": "People are not asked yet.",
    "moderation": "There is no moderation: use llm-rubric.",
    "pi": "This asks a service of its own: use llm-rubric.",
    "select-best": "Answers of several prompts are not held against each other: compare runs.",
    "max-score": "Answers of several prompts are not held against each other: compare runs.",
    "conversation-relevance": "Conversations of several turns are not graded here.",
    "trace-error-spans": "Traces are not graded.",
    "trace-span-count": "Traces are not graded.",
    "trace-span-duration": "Traces are not graded.",
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
        parts.options = _options(fields["options"])
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
    if reason := _NOT_HERE.get(name):
        node.refuse(reason, ".type")
        return None
    for extra in assertion.keys() & _FIELDS_NOT_HERE.keys():
        node.refuse(_FIELDS_NOT_HERE[extra], f".{extra}")
        del assertion[extra]
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


def _options(node: Node) -> dict[str, bool]:
    options = node.object()
    idle = options.keys() & _IDLE_OPTIONS
    for name in sorted(idle):
        node.warn("has no effect here", f".{name}")
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
