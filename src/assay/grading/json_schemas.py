"""JSON Schemas that users give, and values held against them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from jsonschema_rs import ValidationError, ValidationErrorKind, Validator, validator_for
from pydantic import AfterValidator

from assay.core.text import JsonObject, Location, located
from assay.grading.patterns import PATTERN_OPTIONS


def compile_schema(schema: Mapping[str, Any]) -> Validator:
    """A validator for a schema; a schema that refers to other addresses is not fetched.

    Raises:
        ValidationError: of jsonschema_rs, with the place in the schema as `instance_path`.
    """
    return validator_for(
        dict(schema), validate_formats=True, pattern_options=PATTERN_OPTIONS, offline=True
    )


def schema_faults(validator: Validator, value: object) -> Iterator[tuple[Location, str]]:
    """What keeps a value from conforming; what is missing is placed where it should be."""
    for error in validator.iter_errors(value):
        yield _location(error), _cut(error.message)


def _location(error: ValidationError) -> Location:
    missing = (error.kind.property,) if isinstance(error.kind, ValidationErrorKind.Required) else ()
    return (*error.instance_path, *missing)


def _cut(message: str) -> str:
    # The message quotes the value, which can be long.
    return message if len(message) <= 300 else f"{message[:200]} … {message[-99:]}"


def _check_schema(schema: dict[str, Any]) -> dict[str, Any]:
    try:
        compile_schema(schema)
    except ValidationError as error:
        message = f"Not a valid JSON Schema: {_cut(error.message)}"
        raise located((tuple(error.instance_path), message)) from None
    return schema


JsonSchema = Annotated[JsonObject, AfterValidator(_check_schema)]
