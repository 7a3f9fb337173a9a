"""Tests, variables and values that a configuration keeps in other files."""

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

from assay.playground.promptfoo.document import parse_json, parse_json_lines, parse_yaml
from assay.playground.promptfoo.files import FILE, Files
from assay.playground.promptfoo.node import Node
from assay.playground.promptfoo.suite import SuiteFault
from assay.playground.promptfoo.table_file import read_table

Parse = Callable[[str], Any]
_TABLES = (".csv",)
_CODE = (".js", ".cjs", ".mjs", ".ts", ".cts", ".mts", ".py", ".rb")
_PARSERS: dict[str, Parse] = {
    ".json": parse_json,
    ".jsonl": parse_json_lines,
    ".yaml": parse_yaml,
    ".yml": parse_yaml,
}


def is_reference(value: object) -> bool:
    """Whether a value names a file."""
    return isinstance(value, str) and value.startswith(FILE)


def read_entries(node: Node, files: Files) -> list[Node]:
    """The entries of the files that a reference names: each a list, or an object by itself.

    The places of what is in them begin with the file's name.
    """
    entries: list[Node] = []
    for name in _names(node, files):
        if PurePosixPath(name).suffix in _TABLES:
            text = _text(node, name, files)
            entries += read_table(Node(text or "", name, node.findings))
            continue
        value = _parsed(node, name, files)
        listed = value if isinstance(value, list) else [value]
        entries.extend(
            Node(entry, f"{name}[{number}]", node.findings)
            for number, entry in enumerate(listed)
            if entry is not None
        )
    return entries


def read_value(node: Node, files: Files) -> Any:
    """What a reference stands for as a value: JSON and YAML parsed, everything else as text.

    `None` where the file cannot be read, which is noted.
    """
    name = node.value.removeprefix(FILE)
    if PurePosixPath(name).suffix in (*_PARSERS, *_CODE):
        return _parsed(node, name, files)
    text = _text(node, name, files)
    return None if text is None else text.strip()


def _names(node: Node, files: Files) -> Sequence[str]:
    pattern = str(node.value).removeprefix(FILE)
    try:
        names = files.matching(pattern)
    except SuiteFault as fault:
        node.fault(fault.detail)
        return []
    if not names:
        node.fault(f"No file matches {pattern}.")
    return names


def _parsed(node: Node, name: str, files: Files) -> Any:
    suffix = PurePosixPath(name).suffix
    if suffix in _CODE or ":" in name:
        node.refuse(f"{name}: code is not run; keep what it makes in a file.")
        return None
    if suffix not in _PARSERS:
        known = ", ".join((*_PARSERS, *_TABLES))
        node.fault(f"{name} does not end in one of {known}.")
        return None
    text = _text(node, name, files)
    if text is None:
        return None
    try:
        return _PARSERS[suffix](text)
    except ValueError as error:
        node.fault(f"{name} cannot be read: {error}")
        return None


def _text(node: Node, name: str, files: Files) -> str | None:
    try:
        return files.read(name)
    except SuiteFault as fault:
        node.fault(fault.detail)
        return None
