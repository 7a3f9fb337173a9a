"""Types of programs as what people fill in."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from assay.asking.decisions import Decision, validated
from assay.asking.decisions import decision as decided
from assay.consults.requests.schemas import RequestRead

T = TypeVar("T")

# A schema with a name of its own is one document, wherever it is put: what it refers to inside
# of itself is found there.
EDITS_ID = "urn:assay:edits"


class Shape(Generic[T]):
    """A type as a form.

    Attributes:
        schema: its JSON Schema.
    """

    def __init__(self, form: type[T]) -> None:
        """Take the type, of which pydantic makes the schema."""
        self._adapter = TypeAdapter(form)
        self.schema: dict[str, Any] = self._adapter.json_schema()

    def read(self, request: RequestRead) -> Decision[T]:
        """The answer of a request as an instance of the type.

        Raises:
            NoAnswer, RequestCancelled, InvalidAnswer
        """
        answer = decided(request).value
        return Decision(validated(self._adapter, answer, request), request)


class Fields:
    """Some values with their types, which a reviewer may change."""

    def __init__(self, types: Mapping[str, Any]) -> None:
        """Take the types by name."""
        self._adapters: dict[str, TypeAdapter[Any]] = {
            name: TypeAdapter(annotation) for name, annotation in types.items()
        }

    def schema(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON Schema of changes.

        Args:
            values: what stands now, as JSON, by name; a form begins with it.
        """
        schemas, shared = TypeAdapter.json_schemas(
            [(name, "validation", adapter) for name, adapter in self._adapters.items()]
        )
        properties = {
            name: {**schemas[name, "validation"], "default": values[name]}
            for name in self._adapters
        }
        return edits_schema({"properties": properties, **shared})

    def validated(self, edits: Mapping[str, Any], request: RequestRead) -> dict[str, Any]:
        """Changes as values of their types.

        Raises:
            InvalidAnswer: one of them is not of its type.
        """
        return {
            name: validated(self._adapters[name], value, request, name)
            for name, value in edits.items()
        }


def edits_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of changes to some of the properties of an object; none is required."""
    kept = {name: value for name, value in schema.items() if name != "required"}
    return {"$id": EDITS_ID, **kept, "type": "object", "additionalProperties": False}
