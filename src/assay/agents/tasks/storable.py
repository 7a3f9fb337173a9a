"""Text of models and commands, made fit to be stored."""

from typing import Any, TypeVar

from assay.core.text import text_fault

_Json = TypeVar("_Json", str, dict[str, Any], list[Any], Any)


def storable(value: _Json) -> _Json:
    """A JSON value in which what PostgreSQL cannot store (NUL, half surrogates) is replaced."""
    if isinstance(value, str):
        return value if text_fault(value) is None else _mended(value)
    if isinstance(value, dict):
        return {storable(str(key)): storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [storable(inner) for inner in value]
    return value


def _mended(text: str) -> str:
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
