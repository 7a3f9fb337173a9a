"""What items are called where people read of them."""

from collections.abc import Mapping
from typing import Any

import orjson

LONGEST = 80


def title_of(variables: Mapping[str, Any], metadata: Mapping[str, Any] | None) -> str:
    """What tells an item from others: its description, else its variables, cut."""
    description = (metadata or {}).get("description")
    if isinstance(description, str):
        return shortened(description, LONGEST)
    values = (
        f"{name}: {value if isinstance(value, str) else orjson.dumps(value).decode()}"
        for name, value in variables.items()
    )
    return shortened(", ".join(values), LONGEST)


def shortened(text: str, length: int) -> str:
    """A text in one line of at most `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
