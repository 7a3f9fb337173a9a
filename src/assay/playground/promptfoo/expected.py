"""The short way to write an assertion in a cell of a table: `contains-any: refund, money back`."""

import csv
import math
import re
from typing import Any

from assay.grading.registry import CHECK_TYPES, HUMAN, JUDGED_TYPES
from assay.playground.promptfoo.types_not_here import TYPES_NOT_HERE

_OTHER_NAMES = {
    "fn": "javascript",
    "eval": "javascript",
    "grade": "llm-rubric",
}
_TYPES = sorted({*CHECK_TYPES, *JUDGED_TYPES, HUMAN, *TYPES_NOT_HERE}, key=len, reverse=True)
_ASSERTION = re.compile(
    rf"(not-)?({'|'.join(map(re.escape, [*_TYPES, *_OTHER_NAMES]))})"
    r"(?:\((\d+(?:\.\d+)?)\))?(?::(.*))?",
    re.DOTALL,
)
_CODE_FILE = re.compile(r"file://.*\.(?:(?P<python>py)|(?:c|m)?[jt]s)(?::.*)?", re.DOTALL)
_LISTS = frozenset({"contains-all", "contains-any", "icontains-all", "icontains-any"})
# Without a threshold in the cell, promptfoo takes these.
_THRESHOLDS = {
    "answer-relevance": 0.75,
    "classifier": 0.75,
    "context-faithfulness": 0.75,
    "context-recall": 0.75,
    "context-relevance": 0.75,
    "cost": 0.75,
    "latency": 0.75,
    "levenshtein": 0.75,
    "perplexity": 0.75,
    "perplexity-score": 0.75,
    "rouge-n": 0.75,
    "similar": 0.8,
}


def assertion_of(cell: str) -> dict[str, Any]:
    """The assertion that a cell stands for; text without a type is what the answer must equal.

    Types that Assay does not have come out too, so that whoever calls can say why.
    """
    text = cell.strip()
    if code := _CODE_FILE.fullmatch(text):
        return {"type": "python" if code["python"] else "javascript", "value": text}
    match = _ASSERTION.fullmatch(text)
    if match is None:
        return {"type": "equals", "value": text}
    negation, name, threshold, value = match.groups()
    name = _OTHER_NAMES.get(name, name)
    assertion: dict[str, Any] = {"type": f"{negation or ''}{name}"}
    if value is not None and value.strip():
        assertion["value"] = _texts(value) if name in _LISTS else value.strip()
    limit = float(threshold) if threshold else _THRESHOLDS.get(name)
    if limit is not None:
        assertion["threshold"] = limit
    return assertion


def _texts(value: str) -> list[str]:
    """Texts with commas between them; quotes around one let it have commas of its own."""
    fields = next(csv.reader([value.replace("\n", " ")], skipinitialspace=True))
    return [text for field in fields if (text := field.strip())]


def finite(cell: str) -> float | None:
    """The number in a cell; `None` where it holds none."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
