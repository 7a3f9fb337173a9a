from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from assay.grading.assertions import Assertion, AssertionFault, compile_assertions
from assay.grading.registry import CHECK_TYPES
from assay.grading.results import Answer


def faults(*assertions: Any, threshold: float | None = None) -> dict[str, str]:
    with pytest.raises(AssertionFault) as caught:
        compile_assertions(list(assertions), threshold)
    assert caught.value.status == 422
    return {fault.place: fault.message for fault in caught.value.errors}


def test_an_unknown_type_gets_the_nearest_and_the_list() -> None:
    message = faults({"type": "not-contain-all", "value": "x"})["assertions[0].type"]
    assert 'no assertion type "contain-all"' in message
    assert 'Did you mean "contains-all"?' in message
    for name in (*CHECK_TYPES, "assert-set", "not-"):
        assert name in message
    assert "Did you mean" not in faults({"type": "zzz"})["assertions[0].type"]
    assert "assertions[0].type" in faults({"type": "not-not-equals", "value": "x"})


def test_all_faults_are_told_at_once_with_their_places() -> None:
    found = faults(
        {"type": "contains", "value": "fine"},
        {"type": "contains"},
        {"type": "regex", "value": "("},
        {"type": "equals", "value": "x", "wieght": 2},
        {"value": "x"},
        "contains: x",
        {"type": "equals", "value": "x", "weight": -1},
        {"type": "latency", "threshold": -5},
        {"type": "assert-set", "assert": [{"type": "cost"}, {"type": "equals", "value": "{{"}]},
        {"type": "assert-set", "assert": [{"type": "equals", "value": 1, "weight": "2"}]},
        threshold=2,
    )
    assert list(found) == [
        "threshold",
        "assertions[1].value",
        "assertions[2].value",
        "assertions[3].wieght",
        "assertions[4].type",
        "assertions[5]",
        "assertions[6].weight",
        "assertions[7].threshold",
        "assertions[8].assert[0].threshold",
        "assertions[8].assert[1].value",
        "assertions[9].assert[0].weight",
    ]
    assert "type, value, threshold, weight, metric, assert" in found["assertions[3].wieght"]
    assert found["assertions[5]"] == "This must be an object with a type."


@pytest.mark.parametrize(
    ("assertion", "field", "told"),
    [
        ({"type": "contains", "value": ["a"]}, "value", "kind number or text, not list"),
        ({"type": "contains", "value": True}, "value", "not boolean"),
        ({"type": "contains", "value": "a", "threshold": 1}, "threshold", "takes no threshold"),
        ({"type": "contains", "value": "a", "assert": []}, "assert", "only assert-set does"),
        ({"type": "cost", "value": 1, "threshold": 1}, "value", "its limit is the threshold"),
        ({"type": "not-cost"}, "threshold", "not-cost needs a threshold"),
        ({"type": "assert-set"}, "assert", "at least one"),
        ({"type": "assert-set", "assert": []}, "assert", "at least one"),
        ({"type": "assert-set", "assert": [{"type": "is-json"}], "value": 1}, "value", "no value"),
        (
            {"type": "assert-set", "assert": [{"type": "is-json"}], "threshold": 2},
            "threshold",
            "from 0 to 1",
        ),
        ({"type": "is-json", "metric": "{{"}, "metric", "Line 1"),
        ({"type": "is-json", "weight": float("inf")}, "weight", "finite"),
        ({"type": "is-json", "weight": 1e9}, "weight", "1000000"),
    ],
)
def test_each_field_is_held_against_the_type(
    assertion: dict[str, Any], field: str, told: str
) -> None:
    found = faults(assertion)
    assert list(found) == [f"assertions[0].{field}"]
    assert told in found[f"assertions[0].{field}"]


def test_the_error_reads_as_a_whole() -> None:
    with pytest.raises(AssertionFault) as caught:
        compile_assertions([{"type": "contains"}])
    assert str(caught.value) == (
        "The assertions have a fault.; assertions[0].value: contains needs a value."
    )


def test_values_nested_too_deeply_are_refused() -> None:
    deep: Any = "{{ x }}"
    group: Any = {"type": "is-json"}
    for _ in range(5000):
        deep = [deep]
        group = {"type": "assert-set", "assert": [group]}
    too_deep = {"assertions[0].value": "This is nested too deeply."}
    assert faults({"type": "equals", "value": deep}) == too_deep
    assert faults({"type": "is-json", "value": {"const": deep}}) == too_deep
    unchecked = Assertion.model_construct(type="equals", value=deep)
    assert list(faults(unchecked)) == ["assertions[0].value"]
    assert faults(group)


def test_sets_nest_to_a_limit() -> None:
    group: dict[str, Any] = {"type": "is-json"}
    for _ in range(10):
        group = {"type": "assert-set", "assert": [group]}
    assert compile_assertions([group]).grade(Answer("1"), {}).passed
    (message,) = faults({"type": "assert-set", "assert": [group]}).values()
    assert message == "Sets can be nested 10 levels deep."


def test_a_value_that_is_not_json_is_refused() -> None:
    found = faults({"type": "equals", "value": {"on": date(2024, 5, 17)}})
    assert list(found) == ["assertions[0].value"]


def test_assertions_survive_the_way_through_json() -> None:
    written = {
        "type": "assert-set",
        "threshold": 0.5,
        "assert": [{"type": "equals", "value": {"a": [1]}, "weight": 2, "metric": "m"}],
    }
    assertion = Assertion.model_validate(written)
    assert assertion.model_dump(exclude_unset=True) == written
    assert Assertion.model_validate_json(assertion.model_dump_json()) == assertion
    answer = Answer('{"a": [1]}')
    for given_ in (written, assertion):
        assert compile_assertions([given_]).grade(answer, {}).passed
    schema = TypeAdapter(Assertion).json_schema()
    assert "assert" in schema["$defs"]["Assertion"]["properties"]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
json_values = st.recursive(
    scalars | st.sampled_from(["{{ a }}", "{{", "(", "{}", '{"type": 1}']),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "pattern", "$ref", "items", "enum", "minimum"]) | st.text(),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
types = st.sampled_from([*CHECK_TYPES, "assert-set", "nope"])
assertion_dicts = st.recursive(
    st.fixed_dictionaries(
        {"type": st.builds("{}{}".format, st.sampled_from(["", "not-"]), types) | json_values},
        optional={
            "value": json_values,
            "threshold": scalars,
            "weight": scalars,
            "metric": scalars,
            "extra": scalars,
        },
    )
    | json_values,
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(["assert-set", "equals"]), "assert": st.lists(inner, max_size=3)},
        optional={"threshold": scalars},
    ),
    max_leaves=4,
)


@given(st.lists(assertion_dicts, max_size=3), json_values, st.text())
def test_any_json_compiles_or_is_an_assertion_fault(
    assertions: list[Any], value: Any, output: str
) -> None:
    try:
        grader = compile_assertions(assertions)
    except AssertionFault as fault:
        places = [error.place for error in fault.errors]
    else:
        places = ["assertions"]
        assert 0 <= grader.grade(Answer(output, 1.0, 1.0), {"a": value}).score <= 1
    assert all(place.startswith("assertions") for place in places)
    assert places
