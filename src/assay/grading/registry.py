"""The types of assertions by name. A new type is a function and a line here.

Names and meaning are promptfoo's.
"""

from difflib import get_close_matches

from assay.grading import json_checks, limits, patterns, text
from assay.grading.checks import NOTHING, TEXT, TEXTS, CheckFault, CheckType

ASSERT_SET = "assert-set"
"""A group of assertions, compiled by itself since it has assertions in place of a value."""

NEGATION = "not-"

CHECK_TYPES: dict[str, CheckType] = {
    "equals": CheckType(text.equals, TEXTS | {"boolean", "object"}),
    "contains": CheckType(text.contains, TEXT),
    "icontains": CheckType(text.icontains, TEXT),
    "contains-all": CheckType(text.contains_all, TEXTS),
    "contains-any": CheckType(text.contains_any, TEXTS),
    "starts-with": CheckType(text.starts_with, TEXT),
    "regex": CheckType(patterns.regex, frozenset({"text"})),
    "is-json": CheckType(
        json_checks.is_json, frozenset({"text", "boolean", "object"}), value_optional=True
    ),
    "contains-json": CheckType(
        json_checks.contains_json, frozenset({"text", "boolean", "object"}), value_optional=True
    ),
    "levenshtein": CheckType(text.levenshtein, TEXT, threshold="optional"),
    "latency": CheckType(limits.latency, NOTHING, threshold="required"),
    "cost": CheckType(limits.cost, NOTHING, threshold="required"),
}


def split_negation(name: str) -> tuple[str, bool]:
    """Split "not-contains" into "contains" and whether it is negated."""
    return name.removeprefix(NEGATION), name.startswith(NEGATION)


def find_check_type(name: str) -> CheckType:
    """The type of a name without `not-`.

    Raises:
        CheckFault: There is no such type; says which there are, and the nearest.
    """
    if name in CHECK_TYPES:
        return CHECK_TYPES[name]
    known = [*CHECK_TYPES, ASSERT_SET]
    near = get_close_matches(name, known, n=1)
    hint = f' Did you mean "{near[0]}"?' if near else ""
    raise CheckFault(
        f'There is no assertion type "{name}".{hint} '
        f"The types are {', '.join(known)}, each also with {NEGATION} before it.",
        "type",
    )
