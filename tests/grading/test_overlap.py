import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.grading.assertions import AssertionFault, compile_assertions
from assay.grading.overlap import bleu_score
from assay.grading.results import Answer, GradedAssertion

words = st.lists(st.sampled_from(["the", "cat", "sat", "on", "mat", "dog", "Über"]), max_size=12)


def grade(output: str, type_: str, **fields: object) -> GradedAssertion:
    grader = compile_assertions([{"type": type_, **fields}])
    return grader.grade(Answer(output), {}).entries[0]


@pytest.mark.parametrize(
    ("output", "value", "score"),
    [
        # Counted by hand: 2 * shared / (words of the one + words of the other).
        ("hello world", "hello world", 1.0),
        ("World Hello", "hello world", 1.0),
        ("the cat sat", "the cat sat on it", 2 * 3 / 8),
        ("the the the the", "the cat sat on the mat", 2 * 2 / 10),
        ("Go, now!", "go now", 2 * 2 / 6),
        ("I cannot", "I can not", 1.0),
        ("red", "blue", 0.0),
        ("", "blue", 0.0),
        ("blue", "", 0.0),
        ("4 of 5", 4, 2 * 1 / 4),
    ],
)
def test_rouge_is_the_f1_score_of_shared_words(output: str, value: object, score: float) -> None:
    graded = grade(output, "rouge-n", value=value, threshold=0.5)
    assert graded.score == pytest.approx(score)
    assert graded.passed == (score >= 0.5)


@pytest.mark.parametrize(
    ("output", "value", "score"),
    [
        ("the cat sat on the mat", "The cat sat on the mat", 1.0),
        # 5/6, 4/5, 3/4 and 2/3 of the 1- to 4-grams, as long as the reference.
        (
            "the cat sat on the rug",
            "the cat sat on the mat",
            (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25,
        ),
        # All three orders match; the answer is half as long.
        ("the cat sat", "the cat sat on the mat", math.exp(1 - 6 / 3)),
        # 1/2 and, without a match, 1e-7.
        ("hello world", "hello there", math.sqrt(0.5 * 1e-7)),
        # The nearest reference decides about brevity; of two as near, the shorter.
        ("a b c d", ["a b c", "a b c d e"], math.exp(0.25 * math.log(1))),
        ("", "hello", 0.0),
        (" \n", "hello", 0.0),
        ("hello", "  ", 0.0),
        ("hello", ["", "hello"], 1.0),
        ("5", 5, 1.0),
    ],
)
def test_bleu_agrees_with_the_formula(output: str, value: object, score: float) -> None:
    graded = grade(output, "bleu", value=value)
    assert graded.score == pytest.approx(score, abs=1e-12)
    assert graded.passed == (score >= 0.5)


@pytest.mark.parametrize(
    ("type_", "just_enough", "too_little"),
    [
        ("rouge-n", "the cat sat", "the cat"),
        ("bleu", "the cat sat on", "the cat sat"),
    ],
)
def test_there_is_a_threshold_without_one(type_: str, just_enough: str, too_little: str) -> None:
    value = "the cat sat on it"
    assert grade(just_enough, type_, value=value).passed
    assert not grade(too_little, type_, value=value, threshold=0.75).passed
    assert grade(too_little, type_, value=value, threshold=0.4).passed


@given(words, words, st.sampled_from(["rouge-n", "bleu"]), st.none() | st.floats(0, 1))
def test_scores_lie_between_0_and_1_and_are_turned_round(
    output: list[str], reference: list[str], type_: str, threshold: float | None
) -> None:
    fields = {"value": " ".join(reference) or "none", "threshold": threshold}
    plain = grade(" ".join(output), type_, **fields)
    negated = grade(" ".join(output), f"not-{type_}", **fields)
    assert 0 <= plain.score <= 1 + 1e-12
    assert negated.score == pytest.approx(1 - plain.score)
    assert negated.passed != plain.passed


@given(words.filter(bool))
def test_a_text_is_as_like_itself_as_can_be(output: list[str]) -> None:
    text = " ".join(output)
    assert grade(text, "rouge-n", value=text.upper()).score == pytest.approx(1)
    assert grade(text, "bleu", value=text.upper()).score == pytest.approx(1)


@given(words, words)
def test_rouge_takes_both_texts_alike(one: list[str], other: list[str]) -> None:
    left, right = " ".join(one), " ".join(other)
    if left and right:
        there = grade(left, "rouge-n", value=right).score
        back = grade(right, "rouge-n", value=left).score
        assert there == pytest.approx(back)


def test_another_reference_never_hurts_at_equal_length() -> None:
    candidate, near, far = "abcde", "abcdx", "vwxyz"
    assert bleu_score(candidate, [far, near]) == bleu_score(candidate, [near])
    assert bleu_score(candidate, []) == 0.0


@pytest.mark.parametrize("type_", ["rouge-n", "bleu", "not-bleu"])
def test_a_threshold_above_1_is_refused(type_: str) -> None:
    with pytest.raises(AssertionFault) as caught:
        grade("x", type_, value="y", threshold=1.5)
    assert caught.value.errors[0].place == "assertions[0].threshold"


@pytest.mark.parametrize("value", [[], [["a"]], ["a", None]])
def test_faulty_references_are_refused(value: list[object]) -> None:
    with pytest.raises(AssertionFault, match=r"assertions\[0\]\.value"):
        grade("x", "bleu", value=value)


def test_the_reason_gives_score_and_threshold() -> None:
    assert grade("the cat", "rouge-n", value="the dog").reason == (
        "The ROUGE-1 score 0.5000 is below the threshold 0.75."
    )
    assert (
        grade("a b", "bleu", value="a b").reason
        == "The BLEU score 1.0000 reaches the threshold 0.5."
    )


def test_templates_name_the_reference() -> None:
    grader = compile_assertions([{"type": "bleu", "value": ["{{ one }}", "{{ other }}"]}])
    assert grader.grade(Answer("a b c d"), {"one": "x", "other": "a b c d"}).passed
