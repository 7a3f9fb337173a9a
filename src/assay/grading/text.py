"""Assertions on the text of an answer: equal to, containing, near to another text."""

import math
import re
from collections.abc import Callable

from pydantic import JsonValue
from rapidfuzz.distance import Levenshtein

from assay.grading.checks import TEXT, CheckFault, Spec, Test, Verdict, kind_of, quoted
from assay.grading.json_checks import equals_json
from assay.grading.results import Answer

DEFAULT_DISTANCE = 5
"""The edits that `levenshtein` allows without a threshold, as in promptfoo."""

_LIST_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.|"")*)"\s*|([^,]*))(?:,|$)', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])|"(")')
_SHOWN = 5


def equals(spec: Spec) -> Test:
    """The output is exactly the value; an object or a list is compared as JSON."""
    if isinstance(spec.value, dict | list):
        return equals_json(spec.value)
    expected = text_of(spec.value)
    equal = Verdict(True, 1.0, f"The output is {quoted(expected)}.")

    def test(answer: Answer) -> Verdict:
        if answer.output == expected:
            return equal
        return Verdict(
            False, 0.0, f"The output is {quoted(answer.output)}, not {quoted(expected)}."
        )

    return test


def contains(spec: Spec) -> Test:
    """The value occurs in the output."""
    part = _part(spec.value)
    return _either(lambda output: part in output, "contain", quoted(part))


def icontains(spec: Spec) -> Test:
    """The value occurs in the output in any case."""
    part = _part(spec.value)
    folded = part.casefold()
    return _either(
        lambda output: folded in output.casefold(), "contain", f"{quoted(part)} in any case"
    )


def starts_with(spec: Spec) -> Test:
    """The output starts with the value."""
    part = _part(spec.value)
    return _either(lambda output: output.startswith(part), "start", f"with {quoted(part)}")


def contains_all(spec: Spec) -> Test:
    """All of the values occur in the output."""
    return _all_of(_parts(spec.value), str, "")


def icontains_all(spec: Spec) -> Test:
    """All of the values occur in the output in any case."""
    return _all_of(_parts(spec.value), str.casefold, " in any case")


def contains_any(spec: Spec) -> Test:
    """At least one of the values occurs in the output."""
    return _any_of(_parts(spec.value), str, "")


def icontains_any(spec: Spec) -> Test:
    """At least one of the values occurs in the output in any case."""
    return _any_of(_parts(spec.value), str.casefold, " in any case")


def levenshtein(spec: Spec) -> Test:
    """At most `threshold` characters must be added, dropped or replaced to get the value."""
    expected = text_of(spec.value)
    threshold = DEFAULT_DISTANCE if spec.threshold is None else spec.threshold
    limit = math.floor(min(threshold, 1e9))

    def test(answer: Answer) -> Verdict:
        # The cutoff keeps long texts cheap: what is farther off comes back as limit + 1.
        distance = Levenshtein.distance(answer.output, expected, score_cutoff=limit)
        near = distance <= limit
        found = distance if near else f"over {limit}"
        reason = f"The Levenshtein distance to {quoted(expected)} is {found}; the limit is {limit}."
        return Verdict(near, 1.0 if near else 0.0, reason)

    return test


def text_of(value: JsonValue) -> str:
    """A text, number or boolean as the text a model would write: 1.0 as 1, true in lower case."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def split_list(text: str) -> list[str]:
    r"""Split at commas; spaces around an item and empty items are dropped.

    An item in double quotes can hold commas, and quotes as `""` or `\"`.

    Raises:
        CheckFault: A quote is not closed, or what follows the closing one is not a comma.
    """
    items = []
    for match in _LIST_ITEM.finditer(text):
        in_quotes, plain = match.groups()
        if plain and plain.startswith('"'):
            raise CheckFault(
                f"The item {quoted(plain.strip(), 60)} begins with a double quote, so it must end "
                "with one, before a comma or the end; a quote inside of it is written twice."
            )
        if in_quotes is not None:
            items.append(_ESCAPED.sub(lambda found: found[1] or found[2], in_quotes))
        elif plain.strip():
            items.append(plain.strip())
    return items


def _either(holds: Callable[[str], bool], verb: str, rest: str) -> Test:
    present = Verdict(True, 1.0, f"The output {verb}s {rest}.")
    absent = Verdict(False, 0.0, f"The output does not {verb} {rest}.")
    return lambda answer: present if holds(answer.output) else absent


def _all_of(parts: list[str], fold: Callable[[str], str], how: str) -> Test:
    folded = [(part, fold(part)) for part in parts]
    complete = Verdict(True, 1.0, f"The output contains all of {_listed(parts)}{how}.")

    def test(answer: Answer) -> Verdict:
        output = fold(answer.output)
        missing = [part for part, searched in folded if searched not in output]
        if not missing:
            return complete
        return Verdict(False, 0.0, f"The output does not contain {_listed(missing)}{how}.")

    return test


def _any_of(parts: list[str], fold: Callable[[str], str], how: str) -> Test:
    folded = [(part, fold(part)) for part in parts]
    absent = Verdict(False, 0.0, f"The output contains none of {_listed(parts)}{how}.")

    def test(answer: Answer) -> Verdict:
        output = fold(answer.output)
        for part, searched in folded:
            if searched in output:
                return Verdict(True, 1.0, f"The output contains {quoted(part)}{how}.")
        return absent

    return test


def _part(value: JsonValue) -> str:
    part = text_of(value)
    if not part:
        raise CheckFault("The value is empty, and every output contains that.")
    return part


def _parts(value: JsonValue) -> list[str]:
    if not isinstance(value, list):
        parts = split_list(text_of(value))
    else:
        for index, item in enumerate(value):
            if kind_of(item) not in TEXT:
                raise CheckFault("This must be text or a number.", f"value[{index}]")
        parts = [text_of(item) for item in value]
    if not parts:
        raise CheckFault("The list of values is empty.")
    if "" in parts:
        raise CheckFault("One of the values is empty, and every output contains that.")
    return parts


def _listed(parts: list[str]) -> str:
    shown = ", ".join(quoted(part, 60) for part in parts[:_SHOWN])
    return shown if len(parts) <= _SHOWN else f"{shown} and {len(parts) - _SHOWN} more"
