"""The type that people decide: what they are asked, and what becomes of what they say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.grading.assertions import Assertion, AssertionFault, compile_assertions
from assay.grading.questions import Finding, PersonOptions
from assay.grading.results import Answer, GradedAssertion

ANSWER = Answer("Get lost.")
ASKED: dict[str, Any] = {"type": "human", "value": "Is it kind?"}


def faults(**fields: Any) -> dict[str, str]:
    with pytest.raises(AssertionFault) as caught:
        compile_assertions([{**ASKED, **fields}])
    return {
        fault.place.removeprefix("assertions[0]."): fault.message for fault in caught.value.errors
    }


def graded(finding: Finding, **fields: Any) -> GradedAssertion:
    grader = compile_assertions([{**ASKED, **fields}])
    [question] = grader.people(ANSWER, {})
    grading = grader.grade(ANSWER, {}, {question.key: finding})
    assert grading.asked is None
    [entry] = grading.entries
    return entry


def said(approved: bool, reason: str | None = None, by: tuple[str, ...] = ("Ada",)) -> Finding:
    return Finding(None, {"approved": approved, "reason": reason, "by": list(by)})


def test_it_asks_people_and_no_models() -> None:
    grader = compile_assertions([ASKED, {"type": "contains", "value": "x"}])
    assert (grader.asks, grader.asks_people) == (False, True)
    assert grader.questions(ANSWER, {}) == []
    [question] = grader.people(ANSWER, {})
    assert (question.text, question.title) == ("Is it kind?", "Is it kind?")
    assert question.options == PersonOptions()
    assert not compile_assertions([{"type": "contains", "value": "x"}]).asks_people


def test_the_value_is_a_template_over_the_item_and_the_answer() -> None:
    grader = compile_assertions([{**ASKED, "value": "Is “{{ output }}” kind to {{ name }}?"}])
    [question] = grader.people(ANSWER, {"name": "Bob"})
    assert question.title == "Is “Get lost.” kind to Bob?"
    assert grader.people(ANSWER, {}) == []
    [entry] = grader.grade(ANSWER, {}).entries
    assert entry.error
    assert "name" in entry.reason
    [entry] = compile_assertions([{**ASKED, "value": "{{ q }}"}]).grade(ANSWER, {"q": " "}).entries
    assert entry.reason == "There is nothing to ask: the value is empty."


def test_a_long_question_has_a_short_title() -> None:
    text = "Is it kind,\nand " + "very " * 100 + "kind?"
    [question] = compile_assertions([{**ASKED, "value": text}]).people(ANSWER, {})
    assert question.text == text
    assert len(question.title) == 255
    assert question.title.startswith("Is it kind, and very")
    assert question.title.endswith("…")


@pytest.mark.parametrize(
    ("type_", "finding", "passed", "reason"),
    [
        ("human", said(True), True, "Yes, said Ada."),
        ("human", said(False, "Rude."), False, "No, said Ada: Rude."),
        ("not-human", said(False, "Not at all."), True, "No, said Ada: Not at all."),
        ("human", said(True, by=("Ada", "Bob", "Cy")), True, "Yes, said Ada, Bob and Cy."),
        ("human", said(True, "Too late.", ()), True, "Yes, by default: Too late."),
    ],
)
def test_what_people_say_is_the_grade(
    type_: str, finding: Finding, passed: bool, reason: str
) -> None:
    entry = graded(finding, type=type_)
    assert (entry.passed, entry.score, entry.reason) == (passed, float(passed), reason)
    assert (entry.type, entry.error, entry.judge) == (type_, False, None)


@pytest.mark.parametrize("type_", ["human", "not-human"])
def test_what_nobody_decided_never_passes(type_: str) -> None:
    entry = graded(Finding(None, error="Nobody answered in time."), type=type_)
    assert (entry.passed, entry.score, entry.error) == (False, 0.0, True)
    assert entry.reason == "Nobody answered in time."
    [entry] = compile_assertions([{**ASKED, "type": type_}]).grade(ANSWER, {}).entries
    assert (entry.passed, entry.error, entry.reason) == (False, True, "Nobody was asked.")


def test_equal_questions_are_asked_once_and_others_by_themselves() -> None:
    group: dict[str, Any] = {"type": "assert-set", "assert": [{**ASKED, "type": "not-human"}]}
    more = [{**ASKED, "quorum": 3}, {**ASKED, "role": "admin"}, {**ASKED, "value": "Is it short?"}]
    grader = compile_assertions([ASKED, group, *more])
    questions = grader.people(ANSWER, {})
    assert len({question.key for question in questions}) == len(questions) == 4
    again = compile_assertions([ASKED, group, *more]).people(ANSWER, {})
    assert [each.key for each in again] == [each.key for each in questions]


def test_options_say_who_is_asked_and_how_they_decide() -> None:
    fields = {
        "assignees": ["ada@example.com", "bob@example.com", "ada@example.com"],
        "deadline": 3600,
        "default": False,
        "priority": "high",
        "quorum": 2,
    }
    [question] = compile_assertions([{**ASKED, **fields}]).people(ANSWER, {})
    people = ("ada@example.com", "bob@example.com")
    assert question.options == PersonOptions(people, None, 3600, False, "high", 2, "majority")
    [question] = compile_assertions([{**ASKED, "role": "reviewer", "rule": "unanimous"}]).people(
        ANSWER, {}
    )
    assert question.options == PersonOptions(role="reviewer", rule="unanimous")


@pytest.mark.parametrize(
    ("fields", "place", "message"),
    [
        ({"value": None}, "value", "human needs a value: the question that people answer"),
        ({"value": " "}, "value", "human needs a value"),
        ({"value": ["a"]}, "value", "human needs a value"),
        ({"value": "{{ a"}, "value", ""),
        ({"threshold": 1}, "threshold", "people say yes or no"),
        ({"provider": "a/b"}, "provider", "asks no model"),
        ({"assert": [ASKED]}, "assert", "takes no assertions"),
        ({"assignees": []}, "assignees", "at least 1"),
        ({"assignees": ["a"], "role": "admin"}, "role", "not both"),
        ({"assignees": ["a", "a"], "quorum": 2}, "quorum", "Of 1 assignees, 2 cannot answer."),
        ({"role": "viewer"}, "role", "'reviewer', 'editor' or 'admin'"),
        ({"deadline": 0}, "deadline", "greater than 0"),
        ({"deadline": "1h"}, "deadline", "number"),
        ({"default": True}, "default", "A default counts at the deadline; give one."),
        ({"default": "yes", "deadline": 1}, "default", "boolean"),
        ({"quorum": 2, "rule": "first"}, "rule", "the quorum is 1"),
        ({"rule": "most"}, "rule", "'first', 'majority' or 'unanimous'"),
        ({"priority": "now"}, "priority", "'low', 'medium', 'high' or 'urgent'"),
    ],
)
def test_faults_name_their_place(fields: dict[str, Any], place: str, message: str) -> None:
    found = faults(**fields)
    assert list(found) == [place]
    assert message in found[place]


@pytest.mark.parametrize("field", ["assignees", "role", "deadline", "default", "quorum", "rule"])
@pytest.mark.parametrize("type_", ["contains", "llm-rubric", "assert-set"])
def test_other_types_ask_nobody(type_: str, field: str) -> None:
    values: dict[str, Any] = {
        "assignees": ["a"],
        "role": "admin",
        "deadline": 1,
        "default": False,
        "quorum": 1,
        "rule": "first",
    }
    found = faults(type=type_, **{field: values[field]})
    assert found[field] == f"{type_} asks nobody; only human does."


@given(st.text(min_size=1).filter(str.strip), st.text())
def test_any_question_fits_and_any_comment_can_be_told(text: str, comment: str) -> None:
    assertion = Assertion(type="human", value=text.replace("{", "("))
    grader = compile_assertions([assertion])
    [question] = grader.people(ANSWER, {})
    assert 0 < len(question.title) <= 255
    assert "\n" not in question.title
    [entry] = grader.grade(ANSWER, {}, {question.key: said(True, comment)}).entries
    assert entry.passed
    assert "\x00" not in entry.reason
