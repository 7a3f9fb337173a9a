import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.grading.formulas import LONGEST, MAX_DEPTH, FormulaFault, read_formula

NUMBERS = {"a": 2.0, "b": 3.0, "c": -4.0, "_x1": 0.5, "größe": 7.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        (" 1.5e2 ", 150),
        (".5", 0.5),
        ("3.", 3),
        ("a + b * 2", 8),
        ("(a + b) * 2", 10),
        ("a - b - 1", -2),
        ("12 / a / b", 2),
        ("-a ^ 2", -4),
        ("2 ^ 3 ^ 2", 512),
        ("2 ^ -1", 0.5),
        ("--a", 2),
        ("+a", 2),
        ("max(a, b, c)", 3),
        ("min(a, b, c)", -4),
        ("max(a)", 2),
        ("abs(c) + sqrt(4)", 6),
        ("2 * a * b / (a + b)", 12 / 5),
        ("größe + _x1", 7.5),
        ("a > 1 ? b : c", 3),
        ("a < 1 ? b : a < 3 ? 10 : 20", 10),
        ("(a == 2) + (b != 2) + (a >= 2) + (a <= 1)", 3),
        ("a + b > 4 ? 1 : 0", 1),
        ("a > 0 ? 1 : 1 / 0", 1),
        ("max", 9),
    ],
)
def test_formulas_are_read_as_one_writes_them(text: str, value: float) -> None:
    assert read_formula(text).compute({**NUMBERS, "max": 9}) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            "At character 1 there must be a number, a name or a parenthesis, but there is the end.",
        ),
        ("a +", "At character 4 there must be a number"),
        ("a b", 'At character 3 there must be an operator such as + or the end, but there is "b".'),
        ("(a", 'At character 3 there must be ")"'),
        ("a)", "At character 2 there must be an operator"),
        ("a ? b", 'At character 6 there must be ":"'),
        ("a # b", 'At character 3 "#" means nothing in a formula'),
        ("1 < a < 3", "At character 7 there must be an operator"),
        ("evil(a)", 'At character 1 there is no function "evil"; the functions are abs, max'),
        ("1 + sqrt(a, b)", "At character 5 sqrt takes one number, not 2."),
        ("min()", "At character 5 there must be a number"),
        ("a.b", 'At character 2 "." means nothing'),
        ("a[0]", 'At character 2 "[" means nothing'),
        ('"a"', "At character 1"),
        ("a ** 2", "At character 4 there must be a number"),
        ("(" * 100 + "1" + ")" * 100, f"{MAX_DEPTH} levels"),
        ("-" * 200 + "1", f"{MAX_DEPTH} levels"),
        ("1 ? " * 100 + "1", f"{MAX_DEPTH} levels"),
        ("1" * (LONGEST + 1), "at most 1,000 characters"),
    ],
)
def test_faults_name_their_place(text: str, message: str) -> None:
    with pytest.raises(FormulaFault) as caught:
        read_formula(text)
    assert message in str(caught.value)


def test_names_are_listed_once_in_their_order() -> None:
    assert read_formula("b + a * b + max(c, 1)").names == ("b", "a", "c")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("1 / (a - a)", ZeroDivisionError),
        ("0 ^ -1", ZeroDivisionError),
        ("1e300 * 1e300", OverflowError),
        ("10 ^ 400", OverflowError),
        ("sqrt(0 - a)", ValueError),
        ("(0 - a) ^ 0.5", ValueError),
        ("missing", KeyError),
    ],
)
def test_what_has_no_value_is_an_error(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_formula(text).compute(NUMBERS)


trees = st.recursive(
    st.integers(0, 99).map(str) | st.sampled_from(["a", "b", "c"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(" ".join).map("({})".format),
        inner.map("(-{})".format),
        st.tuples(st.sampled_from(["max", "min"]), inner, inner).map(
            lambda parts: f"{parts[0]}({parts[1]}, {parts[2]})"
        ),
    ),
    max_leaves=12,
)


@given(trees)
def test_arithmetic_is_pythons(text: str) -> None:
    names = {"a": 2.0, "b": 3.0, "c": -4.0}
    try:
        expected = eval(text, {"__builtins__": {}, "max": max, "min": min}, names)
    except ZeroDivisionError:
        with pytest.raises(ZeroDivisionError):
            read_formula(text).compute(names)
        return
    assert math.isclose(read_formula(text).compute(names), expected, rel_tol=1e-9)


@given(st.text("ab1.+-*/^()<>=?:, maxmin", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(FormulaFault):
        formula = read_formula(text)
        with suppress(ArithmeticError, ValueError):
            assert isinstance(formula.compute(dict.fromkeys(formula.names, 2.0)), float)
