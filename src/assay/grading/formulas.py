"""Formulas over named numbers: read by a grammar of our own, so that nothing in them is run.

    formula    = condition ["?" formula ":" formula]
    condition  = sum [("<" | "<=" | ">" | ">=" | "==" | "!=") sum]
    sum        = product {("+" | "-") product}
    product    = sign {("*" | "/") sign}
    sign       = ["-" | "+"] sign | power
    power      = atom ["^" sign]
    atom       = number | name | function "(" formula {"," formula} ")" | "(" formula ")"

The notation is that of mathjs, in which promptfoo's formulas are written.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LONGEST = 1000
"""Characters of the longest formula."""

MAX_DEPTH = 50
"""Levels of parentheses, signs and branches inside each other."""

Numbers = Mapping[str, float]
_Term = Callable[[Numbers], float]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[^\W\d][\w$]*|\$[\w$]*)|(?P<sign><=|>=|==|!=|[-+*/^()<>?:,]))"
)
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_FUNCTIONS: dict[str, tuple[Callable[..., float], int, int]] = {
    # The function, and how many numbers it takes at least and at most.
    "abs": (abs, 1, 1),
    "max": (max, 1, LONGEST),
    "min": (min, 1, LONGEST),
    "sqrt": (math.sqrt, 1, 1),
}


class FormulaFault(Exception):
    """A formula cannot be read; the message says what is wrong and at which character."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula, read once.

    Attributes:
        names: The names it needs, in the order in which they first occur.
    """

    names: tuple[str, ...]
    _term: _Term = field(repr=False)

    def compute(self, numbers: Numbers) -> float:
        """The formula's value.

        Raises:
            KeyError: A name of `names` is not in `numbers`.
            ArithmeticError: It divides by zero, or its value is too large for a number.
            ValueError: It asks for the root of a negative number.
        """
        value = self._term(numbers)
        if math.isnan(value):
            raise ValueError("its value is not a real number")
        if math.isinf(value):
            raise OverflowError("its value is too large for a number")
        return float(value)


def read_formula(text: str) -> Formula:
    """Read a formula.

    Args:
        text: Such as `2 * precision * recall / (precision + recall)`.

    Raises:
        FormulaFault: It cannot be read.
    """
    if len(text) > LONGEST:
        raise FormulaFault(f"A formula has at most {LONGEST:,} characters; this has {len(text):,}.")
    reader = _Reader(text)
    term = reader.formula(0)
    if reader.kind != "end":
        raise reader.fault("an operator such as + or the end")
    return Formula(tuple(reader.names), term)


class _Reader:
    """Reads tokens from left to right, and terms by recursive descent."""

    def __init__(self, text: str) -> None:
        self.names: dict[str, None] = {}
        self._text = text
        self._end = 0
        self._start = 0
        self.kind = self.token = ""
        self._advance()

    def fault(self, wanted: str) -> FormulaFault:
        found = f'"{self.token}"' if self.kind != "end" else "the end"
        return FormulaFault(
            f"At character {self._start + 1} there must be {wanted}, but there is {found}."
        )

    def formula(self, depth: int) -> _Term:
        if depth > MAX_DEPTH:
            raise FormulaFault(f"A formula can be nested {MAX_DEPTH} levels deep.")
        condition = self._condition(depth)
        if not self._take("?"):
            return condition
        then = self.formula(depth + 1)
        if not self._take(":"):
            raise self.fault('":" and what holds otherwise')
        otherwise = self.formula(depth + 1)
        return lambda numbers: then(numbers) if condition(numbers) else otherwise(numbers)

    def _condition(self, depth: int) -> _Term:
        left = self._sum(depth)
        if self.token not in _COMPARISONS:
            return left
        compare = _COMPARISONS[self._advance()]
        right = self._sum(depth)
        return lambda numbers: float(compare(left(numbers), right(numbers)))

    def _sum(self, depth: int) -> _Term:
        return self._chain({"+": operator.add, "-": operator.sub}, self._product, depth)

    def _product(self, depth: int) -> _Term:
        return self._chain({"*": operator.mul, "/": operator.truediv}, self._sign, depth)

    def _chain(
        self,
        operators: Mapping[str, Callable[[float, float], float]],
        part: Callable[[int], _Term],
        depth: int,
    ) -> _Term:
        first = part(depth)
        rest: list[tuple[Callable[[float, float], float], _Term]] = []
        while self.token in operators:
            rest.append((operators[self._advance()], part(depth)))
        if not rest:
            return first

        def term(numbers: Numbers) -> float:
            value = first(numbers)
            for apply, other in rest:
                value = apply(value, other(numbers))
            return value

        return term

    def _sign(self, depth: int) -> _Term:
        if depth > MAX_DEPTH:
            raise FormulaFault(f"A formula can be nested {MAX_DEPTH} levels deep.")
        if self._take("-"):
            term = self._sign(depth + 1)
            return lambda numbers: -term(numbers)
        if self._take("+"):
            return self._sign(depth + 1)
        base = self._atom(depth)
        if not self._take("^"):
            return base
        exponent = self._sign(depth + 1)
        return lambda numbers: _power(base(numbers), exponent(numbers))

    def _atom(self, depth: int) -> _Term:
        if self.kind == "number":
            value = float(self._advance())
            return lambda numbers: value
        if self.kind == "name":
            start, name = self._start, self._advance()
            if self._take("("):
                return self._call(name, start, depth)
            self.names[name] = None
            return lambda numbers: numbers[name]
        if self._take("("):
            term = self.formula(depth + 1)
            self._close()
            return term
        raise self.fault("a number, a name or a parenthesis")

    def _call(self, name: str, start: int, depth: int) -> _Term:
        if name not in _FUNCTIONS:
            raise FormulaFault(
                f'At character {start + 1} there is no function "{name}"; the functions are '
                f"{', '.join(_FUNCTIONS)}."
            )
        parts = [self.formula(depth + 1)]
        while self._take(","):
            parts.append(self.formula(depth + 1))
        self._close()
        function, fewest, most = _FUNCTIONS[name]
        if not fewest <= len(parts) <= most:
            raise FormulaFault(
                f"At character {start + 1} {name} takes one number, not {len(parts)}."
            )
        if len(parts) == 1 and function in {max, min}:
            return parts[0]
        return lambda numbers: function(*(part(numbers) for part in parts))

    def _close(self) -> None:
        if not self._take(")"):
            raise self.fault('")"')

    def _take(self, sign: str) -> bool:
        if self.kind != "sign" or self.token != sign:
            return False
        self._advance()
        return True

    def _advance(self) -> str:
        """Go on to the next token; gives the one left behind."""
        left = self.token
        rest = self._text[self._end :]
        self._start = self._end + len(rest) - len(rest.lstrip())
        match = _TOKEN.match(self._text, self._end)
        if match:
            self.kind = str(match.lastgroup)
            self.token = match[self.kind]
            self._end = match.end()
        elif self._start == len(self._text):
            self.kind, self.token = "end", ""
        else:
            raise FormulaFault(
                f'At character {self._start + 1} "{self._text[self._start]}" means nothing in a '
                "formula; it is made of numbers, names, + - * / ^, comparisons, ? : and "
                f"{', '.join(_FUNCTIONS)}."
            )
        return left


def _power(base: float, exponent: float) -> float:
    value = base**exponent
    if isinstance(value, complex):
        raise ValueError("it takes a root of a negative number")
    return float(value)
