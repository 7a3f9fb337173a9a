import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from assay.core.text import MAX_DEPTH, JsonValue, Text, json_fault, text_fault


class Body(BaseModel):
    text: Text = ""
    value: JsonValue = None


def faults(**fields: Any) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        Body(**fields)
    return [(fault["loc"], fault["msg"]) for fault in caught.value.errors()]


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(json_values)
def test_what_passes_can_be_written_and_holds_no_nul(value: Any) -> None:
    if json_fault(value) is None:
        written = orjson.dumps(value).decode()
        assert "\x00" not in json.dumps(json.loads(written), ensure_ascii=False)
        assert "\\u0000" not in written.replace("\\\\", "")
    else:
        assert "\\u0000" in json.dumps(value).replace("\\\\", "")


@given(st.text(st.characters()))
def test_text_passes_exactly_when_it_encodes_without_nul(text: str) -> None:
    try:
        storable = b"\x00" not in text.encode()
    except UnicodeEncodeError:
        storable = False
    assert (text_fault(text) is None) == storable


def test_faults_carry_their_place() -> None:
    assert faults(text="\0") == [
        (("text",), "Text must not contain the NUL character (U+0000)"),
    ]
    assert faults(value={"a": [1, {"b": math.nan}]}) == [
        (("value", "a", 1, "b"), "Numbers must be finite")
    ]
    assert faults(value=[{"k\0": 1}])[0][0] == ("value", 0)
    assert faults(value=[object()]) == [(("value", 0), "object is not a JSON type")]


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1])
def test_integers_of_more_than_64_bits(number: int) -> None:
    assert faults(value=number)[0][1] == "Integers must fit into 64 bits"


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), True, 1.5])
def test_numbers_at_the_limit(number: float) -> None:
    assert Body(value=number).value == number


def test_depth() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert Body(value=value).value == value
    assert faults(value=[value])[0][1] == "JSON must not be nested more than 100 levels deep"


def test_braces_in_a_message_are_not_placeholders() -> None:
    with pytest.raises(ValidationError, match="set is not a JSON type"):
        Body(value={"{a}": {1, 2}})
