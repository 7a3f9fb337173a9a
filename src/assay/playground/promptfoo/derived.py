"""The `derivedMetrics` of a configuration."""

from typing import Any

from assay.grading.assertions import AssertionFault
from assay.grading.derived import compile_derived_metrics
from assay.playground.promptfoo.node import Node


def read_derived_metrics(node: Node | None) -> list[dict[str, Any]]:
    """The derived metrics that can be computed here; formulas in code are refused."""
    kept: list[dict[str, Any]] = []
    for entry in node.entries() if node else []:
        metric = entry.object()
        try:
            compile_derived_metrics([metric], "")
        except AssertionFault as error:
            for fault in error.errors:
                entry.refuse(fault.message, fault.place.removeprefix("[0]"))
        else:
            kept.append(metric)
    return kept
