from typing import Any

import pytest

from assay.grading.assertions import AssertionFault, compile_assertions
from assay.grading.results import Answer


def passes(output: str, type_: str, value: object, **variables: object) -> bool:
    entry = compile_assertions([{"type": type_, "value": value}]).grade(Answer(output), variables)
    assert not entry.entries[0].error, entry.reason
    return entry.passed


@pytest.mark.parametrize(
    ("type_", "value", "variables", "output"),
    [
        ("equals", "{{ a }} and {{ b }}", {"a": "x", "b": 2}, "x and 2"),
        ("equals", "{{ a }}", {"a": 2}, "2"),
        ("equals", "{{ a }}", {"a": {"x": [1]}}, '{"x":[1]}'),
        ("equals", "{{ a }}", {"a": [1, 2]}, "[1,2]"),
        (
            "equals",
            {"x": "{{ a }}", "y": ["{{ b }}!", 1]},
            {"a": 3, "b": "z"},
            '{"x":3,"y":["z!",1]}',
        ),
        ("equals", {"x": "{{ a }}"}, {"a": None}, '{"x":null}'),
        ("contains", "{{ a }}", {"a": ["x"]}, 'so ["x"]'),
        ("contains", "{{ a }}", {"a": True}, "so true"),
        ("contains-all", ["{{ a }}", "z", "{{ b }}s"], {"a": 1, "b": "cat"}, "1 z cats"),
        ("contains-all", "{{ a }}", {"a": ["x,y", "z"]}, "z x,y"),
        ("contains-all", ["{{ a }}", "{{ b }}"], {"a": True, "b": ["x"]}, 'true ["x"]'),
        ("contains-any", "{{ a }},{{ b }}", {"a": "p", "b": "q"}, "q"),
        ("starts-with", "{{ a|upper }}", {"a": "ok"}, "OK then"),
        ("is-json", "{{ schema }}", {"schema": {"type": "array"}}, "[]"),
        ("is-json", {"enum": "{{ labels }}"}, {"labels": ["a", "b"]}, '"b"'),
        ("is-json", '{"const": "{{ a }}"}', {"a": "x"}, '"x"'),
        ("levenshtein", "{{ a }}", {"a": "kitten"}, "sitten"),
    ],
)
def test_values_are_filled_in_for_each_item(
    type_: str, value: object, variables: dict[str, Any], output: str
) -> None:
    assert passes(output, type_, value, **variables)
    assert not passes("something { else", type_, value, **variables)


@pytest.mark.parametrize(
    ("type_", "value", "told"),
    [
        ("contains-all", ["{{ a }}", "b"], "One of the values is empty"),
        ("not-contains-any", "{{ a }}", "The list of values is empty"),
        ("not-contains", "{{ a }}", "The value is empty"),
        ("is-json", "{{ a }}", "not JSON"),
    ],
)
def test_a_value_of_no_use_once_filled_in_is_an_error(type_: str, value: object, told: str) -> None:
    grader = compile_assertions([{"type": type_, "value": value}])
    entry = grader.grade(Answer("b"), {"a": ""}).entries[0]
    assert entry.error
    assert not entry.passed
    assert told in entry.reason


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("{{ a", "value"),
        (["b", "{{ a }"], "value[1]"),
        ({"x": {"y": ["{% if %}"]}}, "value.x.y[0]"),
    ],
)
def test_a_faulty_template_is_named_by_its_place(value: object, place: str) -> None:
    with pytest.raises(AssertionFault) as caught:
        compile_assertions([{"type": "equals", "value": value}])
    (fault,) = caught.value.errors
    assert fault.place == f"assertions[0].{place}"
    assert fault.message.startswith("Line 1 of the template:")


def test_a_missing_key_inside_a_value_is_an_error() -> None:
    grader = compile_assertions([{"type": "not-equals", "value": {"x": ["{{ a.b }}"]}}])
    entry = grader.grade(Answer("{}"), {"a": {}}).entries[0]
    assert entry.error
    assert not entry.passed
    assert '"b"' in entry.reason
