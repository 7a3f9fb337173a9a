import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.grading.assertions import AssertionFault, compile_assertions
from assay.grading.checks import CheckFault
from assay.grading.results import Answer, GradedAssertion
from assay.grading.text import split_list, text_of


def grade(output: str, type_: str, **fields: object) -> GradedAssertion:
    grader = compile_assertions([{"type": type_, **fields}])
    return grader.grade(Answer(output), {}).entries[0]


@pytest.mark.parametrize(
    ("type_", "value", "output", "passed"),
    [
        ("equals", "yes", "yes", True),
        ("equals", "yes", "yes ", False),
        ("equals", "yes", "Yes", False),
        ("equals", "", "", True),
        ("equals", 5, "5", True),
        ("equals", 1.0, "1", True),
        ("equals", 0.5, "0.5", True),
        ("equals", True, "true", True),
        ("equals", '{"a": 1}', '{"a":1}', False),
        ("contains", "fund", "a refund", True),
        ("contains", "Fund", "a refund", False),
        ("contains", 0, "10", True),
        ("icontains", "REFUND", "a refund", True),
        ("icontains", "STRASSE", "Hauptstraße 1", True),
        ("icontains", "Straße", "HAUPTSTRASSE 1", True),
        ("icontains", "x", "a refund", False),
        ("starts-with", "a ", "a refund", True),
        ("starts-with", "refund", "a refund", False),
        ("contains-all", ["a", "b"], "b a", True),
        ("contains-all", ["a", "c"], "b a", False),
        ("contains-all", "a, b", "b a", True),
        ("contains-all", '"1,000", in stock', "1,000 in stock", True),
        ("contains-all", '"1,000", in stock', "1, 000 in stock", False),
        ("contains-all", [1, "b"], "b1", True),
        ("contains-any", ["x", "b"], "b a", True),
        ("contains-any", ["x", "y"], "b a", False),
        ("contains-any", "x,,b,", "b a", True),
        ("contains-any", 7, "seven 7", True),
        ("icontains-all", ["A", "b"], "B a", True),
        ("icontains-all", ["A", "c"], "B a", False),
        ("icontains-all", "refund, MONDAY", "On Monday: Refund", True),
        ("icontains-all", ["STRASSE"], "Hauptstraße 1", True),
        ("icontains-any", ["x", "B"], "b a", True),
        ("icontains-any", "x, Y", "b a", False),
        ("icontains-any", 7, "seven 7", True),
    ],
)
def test_text_assertions_and_their_negation(
    type_: str, value: object, output: str, passed: bool
) -> None:
    plain = grade(output, type_, value=value)
    negated = grade(output, f"not-{type_}", value=value)
    assert (plain.passed, plain.score) == (passed, float(passed))
    assert (negated.passed, negated.score) == (not passed, float(not passed))
    assert negated.type == f"not-{type_}"
    assert plain.reason == negated.reason


def test_reasons_say_what_was_found() -> None:
    assert grade("no", "equals", value="yes").reason == 'The output is "no", not "yes".'
    assert grade("no", "contains", value="y").reason == 'The output does not contain "y".'
    assert grade("yes", "not-contains", value="y").reason == 'The output contains "y".'
    assert grade("b", "contains-all", value="a,b,c").reason == (
        'The output does not contain "a", "c".'
    )
    assert grade("b", "contains-any", value="a,b").reason == 'The output contains "b".'
    assert grade("b", "icontains-any", value="a").reason == (
        'The output contains none of "a" in any case.'
    )
    assert grade("b", "icontains-all", value="a,B").reason == (
        'The output does not contain "a" in any case.'
    )


def test_long_texts_are_cut_in_reasons() -> None:
    reason = grade("x" * 10_000, "equals", value="y" * 10_000).reason
    assert len(reason) < 500
    many = grade("", "contains-any", value=[str(number) for number in range(100)]).reason
    assert many.endswith('"4" and 95 more.')


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("contains", ""),
        ("icontains", ""),
        ("starts-with", ""),
        ("contains-all", ""),
        ("contains-any", " , "),
        ("contains-all", 'a,""'),
        ("icontains-all", ""),
        ("icontains-any", 'a,""'),
    ],
)
def test_an_empty_value_is_refused_where_every_output_would_pass(type_: str, value: str) -> None:
    with pytest.raises(AssertionFault) as caught:
        grade("x", type_, value=value)
    assert caught.value.errors[0].place == "assertions[0].value"
    assert "empty" in caught.value.errors[0].message


@pytest.mark.parametrize("value", [[], ["a", ""], ["a", ["b"]], ["a", None], [True]])
def test_faulty_lists_are_refused(value: list[object]) -> None:
    with pytest.raises(AssertionFault, match=r"assertions\[0\]\.value"):
        grade("x", "contains-any", value=value)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("a,b", ["a", "b"]),
        (" a b ,\n c ", ["a b", "c"]),
        ('"a,b",c', ["a,b", "c"]),
        ('"say ""hi""", "back\\\\slash \\"q\\" \\d"', ['say "hi"', 'back\\slash "q" \\d']),
        ('a "b" c, 5"', ['a "b" c', '5"']),
        (",,", []),
        ('""', [""]),
    ],
)
def test_lists_are_split_at_commas_outside_quotes(text: str, items: list[str]) -> None:
    assert split_list(text) == items


@pytest.mark.parametrize("text", ['"open, b', 'a, "open', '"a" b, c', 'a, "b"c'])
def test_quotes_that_do_not_close_are_refused(text: str) -> None:
    with pytest.raises(CheckFault, match="double quote"):
        split_list(text)


@given(st.lists(st.text(min_size=1), min_size=1))
def test_quoted_items_survive_splitting(items: list[str]) -> None:
    escaped = [item.replace("\\", "\\\\").replace('"', '""') for item in items]
    assert split_list(",".join(f'"{item}"' for item in escaped)) == items


@pytest.mark.parametrize(
    ("number", "text"), [(1e21, "1e+21"), (-2.0, "-2"), (10**20, "1" + "0" * 20), (0.1, "0.1")]
)
def test_numbers_read_as_a_model_would_write_them(number: float, text: str) -> None:
    assert text_of(number) == text


@given(st.text(), st.text(min_size=1))
def test_contains_is_what_python_calls_in(output: str, part: str) -> None:
    # Braces would make a template of the part.
    plain = part.replace("{", "(")
    assert grade(output, "contains", value=plain).passed == (plain in output)
    assert grade(output + plain, "contains", value=plain).passed
    assert grade(plain + output, "starts-with", value=plain).passed
