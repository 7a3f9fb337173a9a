"""Drafts of items held against what can be stored, and against the schemas of their dataset."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from assay.core.errors import FieldFault
from assay.core.problems import place
from assay.core.text import json_fault
from assay.grading.assertions import Assertion
from assay.grading.json_schemas import compile_schema, schema_faults
from assay.playground.assertions import Assertions
from assay.playground.datasets.imports.draft import Draft, RowFault

FAULTS_OF_ROW = 10
_ASSERTIONS: TypeAdapter[list[Assertion]] = TypeAdapter(Assertions)
# Different lists of assertions that are kept in mind; compiling one takes as long as many rows.
_KEPT = 10_000

Schema = Mapping[str, Any] | None


class Checker:
    """Holds drafts against the two schemas of a dataset."""

    def __init__(self, input_schema: Schema, expected_output_schema: Schema) -> None:
        """Compile them."""
        schemas = {"input": input_schema, "expected_output": expected_output_schema}
        self._validators = [
            (Draft._fields.index(field), field, compile_schema(schema))
            for field, schema in schemas.items()
            if schema is not None
        ]
        self._stored_assertions = lru_cache(_KEPT)(_stored_assertions)

    def check(self, draft: Draft, *, careful: bool) -> Draft:
        """The draft as it is stored.

        Args:
            draft: from a row.
            careful: whether it may hold characters that cannot be stored.

        Raises:
            RowFault: it does not fit.
        """
        if draft.metadata is not None and not isinstance(draft.metadata, dict):
            raise RowFault("This must be an object.", "metadata")
        if careful:
            _check_storable(draft)
        if draft.assertions is not None:
            given = orjson.dumps(draft.assertions)
            draft = draft._replace(assertions=self._stored_assertions(given))
        for index, field, validator in self._validators:
            value = draft[index]
            # One that expects nothing fits.
            if value is not None and not validator.is_valid(value):
                found = _located(schema_faults(validator, value), field)
                first, *more = islice(found, FAULTS_OF_ROW)
                raise RowFault(first.message, first.place, more=more)
        return draft


def _located(faults: Iterator[tuple[Any, str]], field: str) -> Iterator[FieldFault]:
    return (FieldFault(place((field, *below)), message) for below, message in faults)


def _check_storable(draft: Draft) -> None:
    for field, value in zip(Draft._fields, draft, strict=True):
        if found := json_fault(value):
            raise RowFault(found[1], place((field, *found[0])))


def _stored_assertions(text: bytes) -> Any:
    try:
        assertions = _ASSERTIONS.validate_json(text)
    except ValidationError as error:
        faults = [FieldFault(place(("assertions", *e["loc"])), e["msg"]) for e in error.errors()]
        first, *more = faults[:FAULTS_OF_ROW]
        raise RowFault(first.message, first.place, more=more) from None
    return [each.model_dump(by_alias=True, exclude_unset=True) for each in assertions]
