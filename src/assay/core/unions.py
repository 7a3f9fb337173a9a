"""Unions in request bodies whose faults carry the place the sender knows."""

from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidatorFunctionWrapHandler, WrapValidator


def one_of(choose: Callable[[Any], Any]) -> WrapValidator:
    """A marker for `Annotated[A | B, ...]`: validate as the one type that `choose` names.

    Left alone, pydantic puts the names of its own types into the place of a fault
    (`content.list[TextPart].0.text`), for which there is nothing in the body.
    """

    @cache
    def adapter(chosen: Any) -> TypeAdapter[Any]:
        return TypeAdapter(chosen)

    def validate(value: Any, _handler: ValidatorFunctionWrapHandler) -> Any:
        return adapter(choose(value)).validate_python(value)

    return WrapValidator(validate)
