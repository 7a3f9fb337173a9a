"""Differences between two JSON values."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

Change = Literal["added", "removed", "changed"]


class ValueDifference(NamedTuple):
    """A value that came, went or changed, with the way to it through objects."""

    path: tuple[str, ...]
    change: Change
    before: Any
    after: Any


_ABSENT = object()


def find_differences(
    before: Any, after: Any, path: tuple[str, ...] = ()
) -> Iterator[ValueDifference]:
    """What differs between two JSON values; lists are compared as wholes, by their text.

    `1` and `1.0`, or `true` and `1`, are different: they are not the same to every reader.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            inner = before.get(key, _ABSENT), after.get(key, _ABSENT)
            yield from find_differences(*inner, (*path, key))
    elif before is _ABSENT:
        yield ValueDifference(path, "added", None, after)
    elif after is _ABSENT:
        yield ValueDifference(path, "removed", before, None)
    elif not _same(before, after):
        yield ValueDifference(path, "changed", before, after)


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)
