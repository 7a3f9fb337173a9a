import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.gateway.providers.arithmetic import solve_last_expression

NONE = "no arithmetic expression found"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1+1", "2"),
        ("What is 12 * (3 + 4)?", "84"),
        ("2 + 3 * 4", "14"),
        ("(2 + 3) * 4", "20"),
        ("8 - 3 - 2", "3"),
        ("100 / 8 / 2", "6.25"),
        ("0.1 + 0.2", "0.3"),
        ("1 / 3", "0.3333333333"),
        ("-1 / 3", "-0.3333333333"),
        ("-3 + 1", "-2"),
        ("2 * -3", "-6"),
        ("-(2 + 3)", "-5"),
        ("1,200 + 34.5", "1234.5"),
        ("6 \u00d7 7 \u00f7 2 \u2212 1", "20"),
        ("first 1 + 1, then 2 + 2.", "4"),
        ("Given 5, 3 + 4", "7"),
        ("Total (3 apples + 2 pears) of 4 + 4 fruits", "8"),
        ("1 / 0", "division by zero"),
        (".5 + .25", "0.75"),
        ("2 + 2 =", "4"),
    ],
)
def test_the_last_expression_is_solved_exactly(text: str, value: str) -> None:
    assert solve_last_expression(text) == value


@pytest.mark.parametrize(
    "text", ["", "hello", "42", "-", "3 apples", "((((", "2 3", "1 + * 2", "(1 + 2", "1 + 2)", "()"]
)
def test_what_is_none_is_said(text: str) -> None:
    assert solve_last_expression(text) == NONE


def test_hostile_depth_and_length_are_bounded() -> None:
    assert solve_last_expression("(" * 200 + "1+1" + ")" * 200) == NONE
    assert solve_last_expression("-" * 300 + "1 + 1") == NONE
    assert solve_last_expression("1+" * 100_000 + "1") == NONE


@given(st.lists(st.integers(-999, 999), min_size=2, max_size=6), st.data())
def test_it_agrees_with_python(numbers: list[int], data: st.DataObject) -> None:
    signs = data.draw(st.lists(st.sampled_from("+-*"), min_size=5, max_size=5))
    parts = [str(numbers[0])]
    for sign, number in zip(signs, numbers[1:], strict=False):
        parts = ["(", *parts, ")"] if data.draw(st.booleans()) else parts
        parts += [sign, str(number)]
    text = " ".join(parts)
    assert solve_last_expression(f"What is {text}?") == str(eval(text))


@given(st.text(alphabet="0123456789+-*/(),. \n"))
def test_no_text_breaks_it(text: str) -> None:
    assert solve_last_expression(text)
