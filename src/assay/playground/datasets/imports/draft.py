"""What a row of a file says about an item, before it is held against anything."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from assay.core.errors import FieldFault
from assay.playground.datasets.imports.targets import Target
from assay.playground.promptfoo.tables import CellFault, TableColumns, enough_at
from assay.playground.promptfoo.types_not_here import TYPES_NOT_HERE

Fields = dict[str, Any]


class Draft(NamedTuple):
    """The fields of an item; `None` where there is nothing."""

    input: Any
    expected_output: Any = None
    assertions: Any = None
    metadata: Any = None


class RowFault(ValueError):
    """A row cannot be an item.

    Attributes:
        faults: what is wrong, each with its place in the row: a column, or a field of the item;
            empty for all of the row.
    """

    def __init__(self, message: str, place: str = "", *, more: Sequence[FieldFault] = ()) -> None:
        """Take what is wrong and where, and what else is."""
        super().__init__(message)
        self.faults = [FieldFault(place, message), *more]


def put(fields: Fields, target: Target, value: Any, column: str) -> None:
    """Put a value where a column goes; objects for the same field are put together.

    For a field as a whole, null is nothing.

    Raises:
        RowFault: the field takes an object, and the value is none.
    """
    if target.name is not None:
        fields.setdefault(target.field, {})[target.name] = value
    elif value is None:
        return
    elif target.field in ("input", "metadata"):
        if not isinstance(value, dict):
            raise RowFault("This must be an object.", column)
        fields.setdefault(target.field, {}).update(value)
    else:
        fields[target.field] = value


def put_special(fields: Fields, special: TableColumns, row: Sequence[str]) -> None:
    """Add what the special columns of promptfoo say.

    Raises:
        RowFault: one cannot be read, or asks for what Assay does not have. To leave an assertion
            out would make a test of the item that passes for no reason.
    """
    if special.has_assertions:
        made = _assertions(special, row)
        if made:
            fields["assertions"] = [*fields.get("assertions", ()), *made]
    if special.has_metadata:
        metadata = special.metadata(row)
        description = special.description(row)
        if description is not None:
            metadata.setdefault("description", description)
        if metadata:
            fields.setdefault("metadata", {}).update(metadata)


def _assertions(special: TableColumns, row: Sequence[str]) -> list[Any]:
    try:
        made = special.assertions(row)
        threshold = special.threshold(row)
    except CellFault as fault:
        raise RowFault(fault.message, fault.column) from None
    for assertion in made:
        if reason := TYPES_NOT_HERE.get(assertion["type"].removeprefix("not-")):
            raise RowFault(f"{assertion['type']} is not carried over. {reason}", "__expected")
    return enough_at(made, threshold)
