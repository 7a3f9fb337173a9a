"""The variables of a prompt: the JSON Schema that its templates give, and values held to one."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from assay.core.errors import FieldFault, Invalid
from assay.core.problems import place
from assay.core.text import Location
from assay.grading.json_schemas import compile_schema, schema_faults
from assay.playground.prompts.rendering import PromptRenderer

FAULTS_SHOWN = 20


class VariablesFault(Invalid):
    """The variables do not fit the prompt."""

    code = "variables"


def derive_schema(renderer: PromptRenderer) -> dict[str, Any]:
    """The JSON Schema of a prompt's variables, as far as its templates tell.

    What is looped over is an array, what something is looked up in an object, and some filters
    want a type; where the templates are in two minds about a variable, it may be anything.
    """
    return {
        "type": "object",
        "properties": {name: _schema_of(renderer, name) for name in sorted(renderer.variables)},
        "required": sorted(renderer.required),
    }


def _schema_of(renderer: PromptRenderer, name: str) -> dict[str, Any]:
    kind = renderer.uses.type_of(name)
    if kind is None:
        return {}
    properties = renderer.uses.properties.get(name)
    if kind == "object" and properties:
        return {"type": kind, "properties": {key: {} for key in sorted(properties)}}
    return {"type": kind}


def require_fitting(
    renderer: PromptRenderer, schema: Mapping[str, Any] | None, variables: Mapping[str, Any]
) -> None:
    """Make sure that a prompt can be filled in with these variables.

    Args:
        renderer: of the version.
        schema: the version's `variables_schema`.
        variables: the values by name.

    Raises:
        VariablesFault: each fault has its place below `body.variables`.
    """
    found = list(islice(_faults(renderer, schema, variables), FAULTS_SHOWN))
    if found:
        faults = [FieldFault(place(("body", "variables", *at)), text) for at, text in found]
        raise VariablesFault(
            f"The variables do not fit the prompt: {faults[0].place}: {faults[0].message}",
            errors=faults,
        )


def _faults(
    renderer: PromptRenderer, schema: Mapping[str, Any] | None, variables: Mapping[str, Any]
) -> Iterator[tuple[Location, str]]:
    missing = sorted(renderer.required - variables.keys())
    for name in missing:
        yield (name,), "This is missing"
    if schema is not None:
        for at, message in schema_faults(compile_schema(schema), variables):
            if at[:1] not in {(name,) for name in missing}:
                yield at, message
