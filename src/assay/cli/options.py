"""Options of a command as one of the shapes that the API takes, with the same rules."""

import sys
from collections.abc import Mapping
from typing import TypeVar

import typer
from pydantic import BaseModel, SecretStr, ValidationError

from assay.core.errors import FieldFault, Invalid, SetupError

Shape = TypeVar("Shape", bound=BaseModel)


def checked(
    shape: type[Shape], *, option_names: Mapping[str, str] | None = None, **options: object
) -> Shape:
    """`shape` made of the options that were given; those that are `None` were not.

    Args:
        shape: what to make.
        option_names: the options of fields that are called otherwise.
        options: the values, by the fields of `shape`.

    Raises:
        Invalid: naming each option with a value that it does not take.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return shape.model_validate(given)
    except ValidationError as error:
        names = option_names or {}
        faults = [
            FieldFault(names.get(field, f"--{field.replace('_', '-')}"), fault["msg"])
            for fault in error.errors()
            for field in [str(fault["loc"][0])]
        ]
        raise Invalid("An option has a value that it does not take", errors=faults) from None


def read_password(*, from_stdin: bool) -> SecretStr:
    """The password that somebody types, twice, or that comes on standard input.

    It is no option: what stands on a command line can be seen by everybody on the machine.

    Raises:
        SetupError: there is no terminal to ask at.
    """
    if from_stdin:
        return SecretStr(sys.stdin.readline().rstrip("\r\n"))
    if not sys.stdin.isatty():
        raise SetupError(
            "There is no terminal to type the password at: send it on standard input and add "
            "--password-stdin."
        )
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return SecretStr(typed)
