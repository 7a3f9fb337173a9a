"""The `evaluateOptions` of a configuration."""

from dataclasses import dataclass

from assay.playground.promptfoo.node import Node

_FIELDS = ("maxConcurrency", "repeat", "cache")
_REFUSED = {
    "delay": "The pace is set by OPENAI_RPM and OPENAI_MAX_CONCURRENCY in the environment.",
    "maxEvalTimeMs": "There is no limit on the whole; Ctrl-C stops, and --resume goes on.",
    "showProgressBar": "Progress is always shown, in lines where there is no terminal.",
    "timeoutMs": "The limit for a call is set by OPENAI_TIMEOUT (seconds) in the environment.",
}
MAX_CONCURRENCY = 10_000
MAX_REPEAT = 100


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What the options say; `None` where they say nothing."""

    max_concurrency: int | None = None
    repeat: int | None = None
    cache: bool | None = None


def read_options(node: Node | None) -> EvaluateOptions:
    """The options of a node; of what is faulty none."""
    fields = node.fields(_FIELDS, _REFUSED) if node else {}
    return EvaluateOptions(
        _whole_number(fields.get("maxConcurrency"), MAX_CONCURRENCY),
        _whole_number(fields.get("repeat"), MAX_REPEAT),
        fields["cache"].flag() if "cache" in fields else None,
    )


def _whole_number(node: Node | None, most: int) -> int | None:
    if node is None:
        return None
    value = node.value
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most:
        return value
    node.fault(f"This must be a whole number from 1 to {most:,}.")
    return None
