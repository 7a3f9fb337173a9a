"""What tests of imports share."""

from typing import Any

from tests.playground.conftest import Factory, Row

STRICT: dict[str, Any] = {
    "input_schema": {"properties": {"message": {"maxLength": 5}}, "required": ["message"]},
    "expected_output_schema": {"enum": ["a", "b"]},
}


async def version_of(make: Factory, dataset: Row) -> int:
    """The version that a dataset is at."""
    version: int = (await make.call("GET", f"/datasets/{dataset['id']}", 200))["version"]
    return version
