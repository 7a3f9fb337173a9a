"""Assertions on JSON in an answer: `is-json`, `contains-json`, and `equals` with an object."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, NoReturn

import orjson
from jsonschema_rs import ValidationError, Validator, validator_for
from pydantic import JsonValue

from assay.grading.checks import CheckFault, Spec, Test, Verdict, quoted
from assay.grading.patterns import PATTERN_OPTIONS, ran_out
from assay.grading.results import Answer

SEARCH_LIMIT = 1_000_000
"""Characters that a search for JSON in a text may read in vain: about 0.1 s."""

# A bracket that JSON can go on from; prose and Markdown are full of others.
_OPENING = re.compile(r'\{(?=\s*["}])|\[(?=\s*(?:[\[\]{"\-\d]|true|false|null))')
_FAILURE = 100
_STRIDE = 20_000
_SHOWN = 3


def equals_json(expected: JsonValue) -> Test:
    """The output is JSON and, as such, equal to the value: spaces and key order do not count."""
    shown = quoted(json.dumps(expected, ensure_ascii=False))
    equal = Verdict(True, 1.0, f"The output is the JSON {shown}.")

    def test(answer: Answer) -> Verdict:
        try:
            # Unlike orjson, this keeps integers of over 64 bits exact.
            document = _DECODER.decode(answer.output)
        except ValueError as error:
            return Verdict(False, 0.0, f"The output is not JSON ({error}).")
        if same_json(document, expected):
            return equal
        return Verdict(False, 0.0, f"The output is {quoted(answer.output)}, not the JSON {shown}.")

    return test


def is_json(spec: Spec) -> Test:
    """The whole output is JSON (RFC 8259) and conforms to the schema, if there is one."""
    schema = _schema(spec.value)

    def test(answer: Answer) -> Verdict:
        try:
            document = orjson.loads(answer.output)
        except orjson.JSONDecodeError as error:
            return Verdict(False, 0.0, f"The output is not JSON ({error}).")
        if schema is None:
            return Verdict(True, 1.0, "The output is JSON.")
        fault = _fault_in(document, schema)
        if fault:
            return Verdict(False, 0.0, f"The output does not conform to the schema: {fault}.")
        return Verdict(True, 1.0, "The output conforms to the schema.")

    return test


def contains_json(spec: Spec) -> Test:
    """Some object or list in the output is JSON, and conforms to the schema, if there is one."""
    schema = _schema(spec.value)

    def test(answer: Answer) -> Verdict:
        fault = None
        for document in embedded_json(answer.output):
            if schema is None:
                return Verdict(True, 1.0, "The output contains JSON.")
            found = _fault_in(document, schema)
            if not found:
                return Verdict(True, 1.0, "The output contains JSON that conforms to the schema.")
            fault = fault or found
        if fault:
            return Verdict(False, 0.0, f"No JSON in the output conforms to the schema: {fault}.")
        return Verdict(False, 0.0, "The output contains no JSON object or list.")

    return test


def embedded_json(text: str) -> Iterator[Any]:
    """The JSON objects and lists in a text, from left to right, the outermost of each.

    Raises:
        CheckFault: The text is so full of brackets that the search would take too long.
    """
    read_in_vain = 0
    opening = _OPENING.search(text)
    while opening:
        start = opening.start()
        if start > _STRIDE:
            # An error of the decoder counts the lines up to its place, so keep that near.
            text, start = text[start:], 0
        try:
            document, end = _DECODER.raw_decode(text, start)
        except RecursionError:
            raise CheckFault("The output holds JSON that is nested too deeply to read.") from None
        except ValueError as error:
            # NaN, Infinity and integers of thousands of digits fail without a place.
            end = error.pos if isinstance(error, json.JSONDecodeError) else len(text)
            read_in_vain += end - start + _FAILURE
            if read_in_vain > SEARCH_LIMIT:
                raise CheckFault(
                    "The output has too many brackets to search all of them for JSON."
                ) from None
            end = start + 1
        else:
            yield document
        opening = _OPENING.search(text, end)


def same_json(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal; unlike in Python, `true` is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            same_json(value, right[key]) for key, value in left.items()
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same_json, left, right))
    return bool(left == right)


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not part of JSON")


_DECODER = json.JSONDecoder(parse_constant=_not_json)


def _schema(value: JsonValue) -> Validator | None:
    if value is None:
        return None
    try:
        text = value.encode() if isinstance(value, str) else orjson.dumps(value)
        return _compile_schema(text)
    except orjson.JSONDecodeError as error:
        raise CheckFault(f"The schema is a text, but not JSON ({error}).") from None
    except (TypeError, ValueError) as error:
        message = _located(error) if isinstance(error, ValidationError) else str(error)
        raise CheckFault(f"This is not a JSON Schema: {message}.") from None


@lru_cache(maxsize=256)
def _compile_schema(text: bytes) -> Validator:
    return validator_for(
        orjson.loads(text), validate_formats=True, pattern_options=PATTERN_OPTIONS, offline=True
    )


def _fault_in(document: Any, schema: Validator) -> str | None:
    """What keeps a document from conforming, or None."""
    try:
        if schema.is_valid(document):
            return None
        errors = list(islice(schema.iter_errors(document), 2 * _SHOWN))
    except ValueError as error:
        raise CheckFault(f"The schema cannot be applied to the output: {error}.") from None
    faults = [error for error in errors if not ran_out(error)]
    if not faults:
        raise CheckFault("A pattern in the schema takes too many steps on this output.")
    return "; ".join(map(_located, faults[:_SHOWN]))


def _located(error: ValidationError) -> str:
    message = error.message if len(error.message) <= 200 else f"{error.message[:200]}…"
    place = "".join(f"/{step}" for step in error.instance_path)
    return f"{message} at {place}" if place else message
