"""What an answer has to look like, and whether it does."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from jsonschema_rs import Validator

from assay.consults.requests.models import Kind
from assay.core.errors import FieldFault, Invalid
from assay.core.problems import place
from assay.core.text import Location
from assay.grading.json_schemas import compile_schema, schema_faults

LONGEST_TEXT = 100_000
_MOST_FAULTS = 50


class AnswerOffSchema(Invalid):
    """The answer does not conform to the request's schema."""

    code = "answer_off_schema"


def answer_schema(
    kind: Kind,
    *,
    options: Sequence[Mapping[str, Any]] | None = None,
    form: Mapping[str, Any] | None = None,
    edits: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the answers to a request.

    Args:
        kind: what is asked for.
        options: of `choose`, each with its `value`.
        form: of `form`: the schema of the asker, which is taken as it is.
        edits: of `approve`: the schema of what a reviewer may change while approving.
    """
    if kind is Kind.choose:
        return {"enum": [option["value"] for option in options or ()]}
    if kind is Kind.text:
        return {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}
    if kind is Kind.form:
        return dict(form or {})
    properties: dict[str, Any] = {"approved": {"type": "boolean"}}
    if edits is not None:
        # With an id of its own, what refers to `#` in it means this schema and not the whole.
        properties["edits"] = {"$id": "urn:assay:edits", **edits}
    return {
        "type": "object",
        "properties": properties,
        "required": ["approved"],
        "additionalProperties": False,
    }


def check_answer(schema: Mapping[str, Any], value: object, where: str) -> None:
    """Hold an answer against the schema of its request.

    Args:
        schema: as `answer_schema` made it.
        value: the answer.
        where: the place of the answer in what was sent, for the error.

    Raises:
        AnswerOffSchema: with the place of each fault, also as a JSON Pointer into the answer.
    """
    if value is None:
        raise AnswerOffSchema(errors=[FieldFault(where, "null is no answer", "")])
    validator = _validator(orjson.dumps(schema))
    faults = []
    for location, message in schema_faults(validator, value):
        faults.append(FieldFault(place((where, *location)), message, _pointer(location)))
        if len(faults) == _MOST_FAULTS:
            break
    if faults:
        raise AnswerOffSchema(errors=faults)


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Validator:
    return compile_schema(orjson.loads(schema))


def _pointer(location: Location) -> str:
    """A location as a JSON Pointer (RFC 6901)."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in location)
