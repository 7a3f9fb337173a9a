"""A YAML or JSON file as plain values, with the line and column of what is wrong in it.

YAML is read as version 1.2 has it, which is what promptfoo reads: `yes`, `on`, `12:30` and
`2026-01-01` are text, `010` is ten.
"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from assay.core.text import MAX_DEPTH, json_fault
from assay.playground.promptfoo.suite import SuiteFault

if TYPE_CHECKING:
    from yaml import SafeLoader as BaseLoader
else:
    try:
        # Six times as fast; missing where PyYAML was built without libyaml.
        from yaml import CSafeLoader as BaseLoader
    except ImportError:
        from yaml import SafeLoader as BaseLoader

# A few lines with aliases of aliases can stand for more values than there are atoms.
MAX_VALUES = 5_000_000
_TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"


def read_document(path: Path) -> Any:
    """The value in a file; `.json` is read as JSON, everything else as YAML.

    Raises:
        SuiteFault: it cannot be read, names a key twice, or holds what is not JSON's.
    """
    text = read_text(path)
    try:
        return parse_json(text) if path.suffix == ".json" else parse_yaml(text)
    except ValueError as error:
        raise SuiteFault(f"{path} cannot be read: {error}") from None


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        SuiteFault: there is no such file, it may not be read, or it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SuiteFault(f"{path} is not text in UTF-8: byte {error.start} is wrong.") from None
    except OSError as error:
        raise SuiteFault(f"{path} cannot be read: {error.strerror}.") from None


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: with line and column, or the key that is there twice.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}.") from None
    except RecursionError:
        raise ValueError(f"{_TOO_DEEP}.") from None
    return _storable(value)


def parse_json_lines(text: str) -> list[Any]:
    """The values of the lines of a text; blank lines count for nothing.

    Raises:
        ValueError: with the number of the line.
    """
    values = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                values.append(parse_json(line))
            except ValueError as error:
                raise ValueError(f"in line {number}: {error}") from None
    return values


def parse_yaml(text: str) -> Any:
    """The value of a YAML text with one document.

    Raises:
        ValueError: with line and column.
    """
    try:
        _check_depth(text)
        value = yaml.load(text, _Loader)  # noqa: S506  # a safe loader, made stricter below
    except yaml.MarkedYAMLError as error:
        what = ", ".join(filter(None, [error.context, error.problem]))
        raise _located(error.problem_mark or error.context_mark, what) from None
    except yaml.YAMLError as error:
        raise ValueError(f"{' '.join(str(error).split())}.") from None
    return _storable(value)


def _check_depth(text: str) -> None:
    # The loader goes down by recursion, which in its C version ends the process.
    depth = 0
    for event in yaml.parse(text, BaseLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise _located(event.start_mark, _TOO_DEEP)


def _located(mark: Any, what: str) -> ValueError:
    # PyYAML counts from 0, and its C part has marks of a class of its own.
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return ValueError(f"{where}{what}.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise ValueError(f'the key "{key}" is there twice in one object.')
        members[key] = value
    return members


def _storable(value: Any) -> Any:
    if _size(value, {}) > MAX_VALUES:
        raise ValueError(f"with its aliases filled in it has more than {MAX_VALUES:,} values.")
    if found := json_fault(value):
        location, message = found
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
        place = place.removeprefix(".") if len(location) < MAX_DEPTH else ""
        raise ValueError(f"{place or 'the file'}: {message}.")
    return value


def _size(value: Any, known: dict[int, int]) -> int:
    """How many values there are when each alias stands for all that it names."""
    if not isinstance(value, dict | list):
        return 1
    size = known.get(id(value))
    if size is None:
        # One that is inside of itself counts once; it is found by its depth.
        known[id(value)] = 0
        inner = value.values() if isinstance(value, dict) else value
        size = known[id(value)] = 1 + sum(_size(each, known) for each in inner)
    return size


class _Loader(BaseLoader):
    """Reads the core schema of YAML 1.2 and refuses a key that is there twice."""

    # Without the base's rules for plain scalars, which are those of YAML 1.1.
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML copies it on each change

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _fault(key_node, f"a key has to be text: put quotes around {key!r}")
            if key in seen:
                raise _fault(key_node, f'the key "{key}" is there twice in one object')
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_int(self, node: yaml.ScalarNode) -> int:
        """An integer of YAML 1.2: a leading zero means nothing."""
        text = self.construct_scalar(node)
        base = {"0o": 8, "0x": 16}.get(text[:2])
        return int(text[2:], base) if base else int(text)


def _fault(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(None, None, problem, node.start_mark)


def _rule(tag: str, pattern: str, first: str) -> None:
    characters = [*first, ""] if tag == "null" else [*first]
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), characters
    )


_rule("null", "~|null|Null|NULL|", "~nN")
_rule("bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_rule("int", "[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789")
_rule(
    "float",
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)"
    r"|\.(?:nan|NaN|NAN)",
    "-+.0123456789",
)
_rule("merge", "<<", "<")
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_int)
