"""Tests of a configuration as items of a dataset."""

from collections.abc import Iterable

from pydantic import ValidationError

from assay.core.errors import FieldFault
from assay.playground.datasets.items.schemas import ItemCreate
from assay.playground.promptfoo.suite import SuiteFault, SuiteTest


def items_of(tests: Iterable[SuiteTest], title: str) -> list[ItemCreate]:
    """An item for each test, in their order; `title` names the configuration in errors.

    Raises:
        SuiteFault: a test holds what cannot be stored.
    """
    return [_item(test, title) for test in tests]


def _item(test: SuiteTest, title: str) -> ItemCreate:
    metadata = dict(test.metadata)
    if test.description is not None:
        metadata.setdefault("description", test.description)
    try:
        return ItemCreate(
            input=test.variables, assertions=test.assertions or None, metadata=metadata or None
        )
    except ValidationError as error:
        faults = [FieldFault(test.place, fault["msg"]) for fault in error.errors()]
        raise SuiteFault(f"{title} has a test that cannot be kept", errors=faults) from None
