import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.grading.assertions import AssertionFault, compile_assertions
from assay.grading.json_checks import embedded_json, same_json
from assay.grading.results import Answer, GradedAssertion

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
containers = st.lists(json_values, max_size=4) | st.dictionaries(st.text(), json_values, max_size=4)
POINT = {
    "type": "object",
    "required": ["lat"],
    "properties": {"lat": {"type": "number", "minimum": -90}},
}


def grade(
    output: str, type_: str, value: object = None, variables: dict[str, object] | None = None
) -> GradedAssertion:
    grader = compile_assertions([{"type": type_, "value": value}])
    return grader.grade(Answer(output), variables or {}).entries[0]


@given(json_values)
def test_any_json_is_json(value: Any) -> None:
    assert grade(json.dumps(value), "is-json").passed
    assert grade(json.dumps(value, ensure_ascii=False, indent=2), "is-json").passed


@pytest.mark.parametrize("output", ["", "{", "{'a': 1}", "[1,]", "NaN", "{}{}", "yes", "\ud800"])
def test_what_is_not_json(output: str) -> None:
    graded = grade(output, "is-json")
    assert not graded.passed
    assert not graded.error
    assert graded.reason.startswith("The output is not JSON (")
    assert grade(output, "not-is-json").passed


@pytest.mark.parametrize(
    ("output", "passed", "reason"),
    [
        ('{"lat": 3}', True, "The output conforms to the schema."),
        ('{"lon": 3}', False, '"lat" is a required property'),
        ('{"lat": -91}', False, "minimum of -90 at /lat"),
        ('{"lat": -91', False, "not JSON"),
    ],
)
@pytest.mark.parametrize("schema", [POINT, json.dumps(POINT)], ids=["object", "text"])
def test_is_json_holds_the_output_against_a_schema(
    schema: object, output: str, passed: bool, reason: str
) -> None:
    graded = grade(output, "is-json", schema)
    assert graded.passed == passed
    assert reason in graded.reason
    assert grade(output, "not-is-json", schema).passed == (not passed)


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "strng"}, "at /type"),
        ({"required": "lat"}, '"array" at /required'),
        ({"$ref": "https://127.0.0.1/schema.json"}, "Retrieval is disabled"),
        ({"$ref": "file:///etc/hostname"}, "Retrieval is disabled"),
        ({"pattern": "("}, "at /pattern"),
        ("type: object", "not JSON"),
        ([], "kind boolean or object or text"),
        (3, "kind boolean or object or text"),
    ],
)
def test_a_faulty_schema_is_refused(schema: object, told: str) -> None:
    for type_ in ("is-json", "not-contains-json"):
        with pytest.raises(AssertionFault) as caught:
            grade("{}", type_, schema)
        assert caught.value.errors[0].place == "assertions[0].value"
        assert told in caught.value.errors[0].message


def test_formats_of_a_schema_count() -> None:
    assert grade('"ada@example.org"', "is-json", {"format": "email"}).passed
    assert not grade('"ada"', "is-json", {"format": "email"}).passed


def test_a_pattern_in_a_schema_that_runs_out_of_steps_is_an_error() -> None:
    output = json.dumps("a" * 5_000)
    for type_ in ("is-json", "not-is-json"):
        graded = grade(output, type_, {"pattern": r"(a*)*\1b"})
        assert graded.error
        assert not graded.passed


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ('Here: {"a": [1, {"b": 2}]} and ["c"].', [{"a": [1, {"b": 2}]}, ["c"]]),
        ('```json\n{"a": "}"}\n```', [{"a": "}"}]),
        ('[see {"a": 1}', [{"a": 1}]),
        ('[1, {"a": 1}, oops', [{"a": 1}]),
        ('say "hi { " then {"a": 1}', [{"a": 1}]),
        ("{a: 1} [x] [text](link) {} []", [{}, []]),
        ("no json, 12, true", []),
        ('[NaN] {"a": Infinity} [[1]]', [[[1]]]),
        ("x" * 50_000 + '{"a": 1}' + "[ {" * 100 + '{"b": 2}', [{"a": 1}, {"b": 2}]),
    ],
)
def test_json_is_found_inside_text(output: str, found: list[object]) -> None:
    assert list(embedded_json(output)) == found
    assert grade(output, "contains-json").passed == bool(found)
    assert grade(output, "not-contains-json").passed == (not found)


@given(st.text(st.characters(exclude_characters="[]{}")), containers, st.text())
def test_any_embedded_object_or_list_is_found(before: str, value: Any, after: str) -> None:
    assert next(embedded_json(before + json.dumps(value) + after)) == value


def test_contains_json_wants_one_that_conforms() -> None:
    output = 'First {"lon": 1}, then {"lat": 1}.'
    assert grade(output, "contains-json", POINT).passed
    assert not grade(output, "not-contains-json", POINT).passed
    graded = grade('Only {"lon": 1}.', "contains-json", POINT)
    assert not graded.passed
    assert '"lat" is a required property' in graded.reason


@pytest.mark.parametrize("output", ["[" * 100_000, '{"a":"' * 50_000, "[0,[0,[0,x" * 50_000])
@pytest.mark.parametrize("type_", ["contains-json", "not-contains-json"])
def test_a_hopeless_search_ends_in_an_error(type_: str, output: str) -> None:
    graded = grade(output, type_)
    assert graded.error
    assert not graded.passed


def test_a_search_late_in_a_long_text_stays_quick() -> None:
    began = time.perf_counter()
    assert not grade("x" * 4_000_000 + "[ {" * 9_000, "contains-json").passed
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("value", "output", "passed"),
    [
        ({"a": [1, "x"], "b": None}, '{"b":null,\n"a":[1.0,"x"]}', True),
        ({"a": 1}, '{"a": true}', False),
        ({"a": 1}, '{"a": 1, "b": 2}', False),
        ({"a": 1}, "a: 1", False),
        ([1, 2], "[1, 2]", True),
        ([1, 2], "[2, 1]", False),
        ([], "{}", False),
    ],
)
def test_equals_with_an_object_compares_json(value: object, output: str, passed: bool) -> None:
    assert grade(output, "equals", value).passed == passed
    assert grade(output, "not-equals", value).passed == (not passed)


@given(containers)
def test_equals_accepts_the_value_itself(value: Any) -> None:
    assert grade(json.dumps(value, indent=1), "equals", "{{ v }}", {"v": value}).passed


@given(json_values, json_values)
def test_values_are_the_same_when_their_json_is(left: Any, right: Any) -> None:
    assert same_json(left, left)
    if json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True):
        assert same_json(left, right)
    assert same_json(left, right) == same_json(right, left)


def test_json_nested_too_deeply_to_compare_is_an_error() -> None:
    deep: list[object] = []
    for _ in range(990):
        deep = [deep]
    graded = grade("[" * 991 + "]" * 991, "not-equals", "{{ v }}", {"v": deep})
    assert graded.error
    assert not graded.passed
