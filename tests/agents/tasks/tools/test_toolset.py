import pytest
from jsonschema_rs import validator_for

from assay.agents.tasks.tools.toolset import edits_schema
from assay.core.errors import Invalid


def test_people_may_change_single_arguments_of_a_tool() -> None:
    schema = validator_for(edits_schema("write_file"))
    assert schema.is_valid({"content": "b"})
    assert schema.is_valid({"path": "a", "content": "b"})
    assert not schema.is_valid({"contents": "b"})
    assert not schema.is_valid({"path": 1})
    with pytest.raises(Invalid):
        edits_schema("no_such_tool")
