"""Solves the last arithmetic expression in a text, exactly, with a parser of its own.

The grammar, with the usual precedence::

    sum     = product (("+" | "-") product)*
    product = factor (("*" | "/") factor)*
    factor  = ("+" | "-") factor | "(" sum ")" | number
"""

import re
from fractions import Fraction

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
_OPERATOR = r"[-+*/()\u00d7\u00f7\u2212]"
_CANDIDATE = re.compile(rf"(?:{_NUMBER}|{_OPERATOR}|[ \t])+")
_TOKEN = re.compile(rf"({_NUMBER})|({_OPERATOR})")
_SIGNS = str.maketrans("\u00d7\u00f7\u2212", "*/-")
# Bounds for hostile input: on the work, the recursion and the digits of the result.
_LONGEST = 500
_DEEPEST = 50
_DECIMALS = 10


def solve_last_expression(text: str) -> str:
    """The value of the last arithmetic expression in `text`, or that there is none.

    Knows + - * / (the printed signs for times, divided by and minus too), parentheses, decimals
    and thousands separated by commas.
    """
    for candidate in reversed(_CANDIDATE.findall(text)):
        expression = _expression(candidate)
        if expression is not None:
            try:
                return _written(_Parser(expression).value())
            except ZeroDivisionError:
                return "division by zero"
            except SyntaxError:
                continue
    return "no arithmetic expression found"


def _expression(candidate: str) -> list[str] | None:
    """The tokens of `candidate`, without operators that lead nowhere; `None` if it is too long.

    A lone number is no expression either.
    """
    if len(candidate) > _LONGEST:
        return None
    tokens = [
        number.replace(",", "") or operator.translate(_SIGNS)
        for number, operator in _TOKEN.findall(candidate)
    ]
    while tokens and tokens[-1] in "+-*/(":
        tokens.pop()
    numbers = sum(token[-1].isdigit() for token in tokens)
    return tokens if numbers > 1 else None


def _written(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    scaled = round(value * 10**_DECIMALS)
    whole, decimals = divmod(abs(scaled), 10**_DECIMALS)
    return f"{'-' if scaled < 0 else ''}{whole}.{decimals:0{_DECIMALS}}".rstrip("0").rstrip(".")


class _Parser:
    """Recursive descent over tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def value(self) -> Fraction:
        """The value of all tokens; raises SyntaxError where they are no expression."""
        value = self._sum()
        if self._next < len(self._tokens):
            raise SyntaxError
        return value

    def _sum(self) -> Fraction:
        value = self._product()
        while sign := self._accept("+-"):
            operand = self._product()
            value = value + operand if sign == "+" else value - operand
        return value

    def _product(self) -> Fraction:
        value = self._factor()
        while sign := self._accept("*/"):
            operand = self._factor()
            value = value * operand if sign == "*" else value / operand
        return value

    def _factor(self) -> Fraction:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise SyntaxError
        try:
            if sign := self._accept("+-"):
                return self._factor() if sign == "+" else -self._factor()
            if self._accept("("):
                value = self._sum()
                if not self._accept(")"):
                    raise SyntaxError
                return value
            return self._number()
        finally:
            self._depth -= 1

    def _number(self) -> Fraction:
        if self._next == len(self._tokens) or not self._tokens[self._next][-1].isdigit():
            raise SyntaxError
        self._next += 1
        return Fraction(self._tokens[self._next - 1])

    def _accept(self, signs: str) -> str:
        """The next token, if it is one of `signs`, and go on behind it; else nothing."""
        if self._next < len(self._tokens) and self._tokens[self._next] in signs:
            self._next += 1
            return self._tokens[self._next - 1]
        return ""
