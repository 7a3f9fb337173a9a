"""What a type of assertion is made of.

A type is a `CheckType`: a function that prepares a test from the assertion's value and
threshold, and the shapes these may have. A static value is prepared once for a run, a
templated one for each answer, so what is slow to prepare belongs in a cache.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pydantic import JsonValue

from assay.grading.results import Answer

Kind = Literal["text", "number", "boolean", "list", "object", "null", "other"]

TEXT: frozenset[Kind] = frozenset({"text", "number"})
TEXTS: frozenset[Kind] = frozenset({"text", "number", "list"})
NOTHING: frozenset[Kind] = frozenset()


class CheckFault(Exception):
    """An assertion cannot be compiled, or cannot be decided for an answer."""

    def __init__(self, reason: str, field: str = "value") -> None:
        """`reason` is a sentence for the author; `field` is the faulty field of the assertion."""
        super().__init__(reason)
        self.field = field


class Verdict(NamedTuple):
    """What a test found. The reason states it so that it fits a `not-` before the type too."""

    passed: bool
    score: float
    reason: str


Test = Callable[[Answer], Verdict]
"""Decides about one answer, or raises CheckFault where that cannot be done."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What a test is prepared from: the value, with its templates filled in, and the threshold."""

    value: JsonValue
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class CheckType:
    """A type of assertion.

    Attributes:
        prepare: Makes the test; raises CheckFault where the value is of no use.
        kinds: The kinds of value it takes; none where it takes no value.
        value_optional: It can do without a value.
        threshold: Whether it takes a threshold; "negated" needs one with `not-` before it, since
            without one it always passes.
    """

    prepare: Callable[[Spec], Test]
    kinds: frozenset[Kind]
    value_optional: bool = False
    threshold: Literal["none", "optional", "negated", "required"] = "none"


def kind_of(value: object) -> Kind:
    """The kind of a JSON value; "other" for what JSON does not have."""
    if isinstance(value, bool):
        return "boolean"
    for kind, classes in _CLASSES.items():
        if isinstance(value, classes):
            return kind
    return "null" if value is None else "other"


_CLASSES: dict[Kind, tuple[type, ...]] = {
    "text": (str,),
    "number": (int, float),
    "list": (list,),
    "object": (dict,),
}


def quoted(text: str, limit: int = 200) -> str:
    """The text in quotes for a reason, cut where it is longer than `limit` characters."""
    return f'"{text}"' if len(text) <= limit else f'"{text[:limit]}…"'
