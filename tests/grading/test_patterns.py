import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.grading.assertions import AssertionFault, compile_assertions
from assay.grading.patterns import TEXT_LIMIT
from assay.grading.results import Answer, GradedAssertion


def grade(output: str, pattern: str, type_: str = "regex", **variables: object) -> GradedAssertion:
    grader = compile_assertions([{"type": type_, "value": pattern}])
    return grader.grade(Answer(output), variables).entries[0]


@pytest.mark.parametrize(
    ("pattern", "output", "passed"),
    [
        (r"\d{4}", "in 2024.", True),
        (r"^\d{4}$", "in 2024.", False),
        (r"^\d{4}$", "2024\n", False),
        (r"(?i)hello", "Say HELLO", True),
        (r"hello", "Say HELLO", False),
        (r"^b$", "a\nb", False),
        (r"(?m)^b$", "a\nb", True),
        (r"^(?!.*sorry)", "Sure.", True),
        (r"^(?!.*sorry)", "I am sorry.", False),
        (r"(?<=\$)\d+", "$5", True),
        (r"(\w)\1", "book", True),
        (r"\p{Lu}", "É", True),
        (r"^\{.*\}$", "{x}", True),
    ],
)
def test_a_pattern_is_searched_in_the_output(pattern: str, output: str, passed: bool) -> None:
    assert grade(output, pattern).passed == passed
    assert grade(output, pattern, "not-regex").passed == (not passed)


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("(", "unterminated subpattern"),
        ("[z-a]", "bad character range"),
        ("[[", "unterminated character set"),
        ("", "empty"),
        (r"(?P<a>b)(?P=a)", "ECMA 262"),
        (r"((a{1000}){1000}){1000}", "too large"),
        (5, "kind text"),
    ],
)
def test_a_faulty_pattern_is_refused(pattern: object, told: str) -> None:
    with pytest.raises(AssertionFault) as caught:
        compile_assertions([{"type": "regex", "value": pattern}])
    assert caught.value.errors[0].place == "assertions[0].value"
    assert told in caught.value.errors[0].message


@pytest.mark.parametrize("type_", ["regex", "not-regex"])
@pytest.mark.parametrize(
    ("pattern", "output", "decided"),
    [
        (r"(a+)+$", "a" * 50_000 + "b", True),
        (r"^(\w+\s?)*$", "word " * 10_000 + "!", True),
        (r"(a*)*\1b", "a" * 5_000, False),
        (r"(?s)(?=.*(?=.*x))y", "a" * 4_000, False),
        (r"(?s)(?=.*a.*b.*c)", "a" * 5_000, True),
        (r"(?=a)b", "a" * (TEXT_LIMIT + 1), False),
    ],
)
def test_catastrophic_patterns_end_soon(
    type_: str, pattern: str, output: str, decided: bool
) -> None:
    began = time.perf_counter()
    graded = grade(output, pattern, type_)
    assert time.perf_counter() - began < 5
    assert graded.error != decided
    if graded.error:
        assert not graded.passed
        assert "look-around" in graded.reason


def test_a_templated_pattern_is_compiled_for_each_item() -> None:
    grader = compile_assertions([{"type": "regex", "value": "^{{ stem }}s?$"}])
    assert grader.grade(Answer("cats"), {"stem": "cat"}).passed
    assert not grader.grade(Answer("cats"), {"stem": "dog"}).passed
    faulty = grader.grade(Answer("cats"), {"stem": "("}).entries[0]
    assert faulty.error
    assert "not a regular expression" in faulty.reason


def test_text_that_is_no_unicode_cannot_be_searched() -> None:
    assert grade("\ud800", "a").error


@given(st.text(), st.text())
def test_any_pattern_is_refused_or_decides(pattern: str, output: str) -> None:
    try:
        grader = compile_assertions([{"type": "regex", "value": pattern}])
    except AssertionFault:
        return
    assert grader.grade(Answer(output), {}).score in {0.0, 1.0}
