"""Values of assertions as templates over an item's variables."""

from collections.abc import Callable, Mapping
from typing import cast

from pydantic import JsonValue

from assay.core.templates import Template, TemplateFault, compile_template
from assay.grading.checks import TEXT, CheckFault, Kind, kind_of

Render = Callable[[Mapping[str, object]], JsonValue]
"""Fills in the variables of an item; raises TemplateFault."""

_ANY: frozenset[Kind] = frozenset({"text", "number", "boolean", "list", "object", "null"})


def compile_value(
    value: JsonValue, kinds: frozenset[Kind] = TEXT, field: str = "value"
) -> Render | None:
    """Compile the templates in a value, also those in lists and in the values of objects.

    A template that is one `{{ name }}` and nothing else becomes what the variable holds, if
    that is one of `kinds`: a list stays a list. Everything else becomes text.

    Args:
        value: The value as written.
        kinds: The kinds of value that the type of assertion takes.
        field: The place in the assertion, for faults.

    Returns:
        None where no template is in the value.

    Raises:
        CheckFault: A template cannot be read; its `field` names the place.
    """
    if isinstance(value, str):
        return _compile_text(value, kinds, field)
    inner = _ANY if "object" in kinds else TEXT
    if isinstance(value, list):
        items = [
            compile_value(item, inner, f"{field}[{index}]") for index, item in enumerate(value)
        ]
        return _list_render(value, items) if any(items) else None
    if isinstance(value, dict):
        members = {key: compile_value(item, inner, f"{field}.{key}") for key, item in value.items()}
        return _object_render(value, members) if any(members.values()) else None
    return None


def _compile_text(text: str, kinds: frozenset[Kind], field: str) -> Render | None:
    try:
        template = compile_template(text)
    except TemplateFault as fault:
        raise CheckFault(fault.detail, field) from None
    if template.is_static:
        return None
    if template.lone_variable is None:
        return template.render
    return _variable_render(template, template.lone_variable, kinds)


def _variable_render(template: Template, name: str, kinds: frozenset[Kind]) -> Render:
    def render(variables: Mapping[str, object]) -> JsonValue:
        value = variables.get(name)
        if name in variables and kind_of(value) in kinds:
            return cast("JsonValue", value)
        return template.render(variables)

    return render


def _list_render(items: list[JsonValue], renders: list[Render | None]) -> Render:
    pairs = list(zip(items, renders, strict=True))
    return lambda variables: [render(variables) if render else item for item, render in pairs]


def _object_render(members: dict[str, JsonValue], renders: dict[str, Render | None]) -> Render:
    pairs = [(key, item, renders[key]) for key, item in members.items()]
    return lambda variables: {
        key: render(variables) if render else item for key, item, render in pairs
    }
