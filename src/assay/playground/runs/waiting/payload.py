"""A waiting cell as JSON and back: its answer, and what its judges found."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from assay.grading.questions import Finding
from assay.grading.results import Answer
from assay.playground.runs.rows import AnsweredCell, WaitingRow
from assay.playground.runs.specification import Cell


def to_payload(row: WaitingRow) -> dict[str, Any]:
    """What is stored of a waiting cell, so that nothing has to be asked or paid again."""
    answered, answer = row.answered, row.answered.answer
    return {
        "output": answer.output,
        "latency_ms": answer.latency_ms,
        "answer_cost": answer.cost,
        "logprobs": None if answer.logprobs is None else list(answer.logprobs),
        "messages": list(answer.messages),
        "request": answered.request,
        "output_json": answered.output_json,
        "metrics": dict(answered.metrics),
        "cost": answered.cost,
        "paid": row.cost,
        "findings": {key.hex(): _finding(found) for key, found in row.findings.items()},
    }


def from_payload(
    payload: Mapping[str, Any], cell: Cell
) -> tuple[AnsweredCell, dict[bytes, Finding]]:
    """The cell with its answer, and what its judges found, by the keys of their questions."""
    answer = Answer(
        payload["output"],
        payload["latency_ms"],
        payload["answer_cost"],
        payload["logprobs"],
        payload["messages"],
    )
    answered = AnsweredCell(
        cell,
        answer,
        payload["request"],
        payload["output_json"],
        payload["metrics"],
        payload["cost"],
    )
    findings = {bytes.fromhex(key): Finding(**each) for key, each in payload["findings"].items()}
    return answered, findings


def _finding(found: Finding) -> dict[str, Any]:
    value = found.value
    if isinstance(value, list):
        # Embeddings.
        value = [np.asarray(vector, np.float32).tolist() for vector in value]
    return {**asdict(replace(found, value=None)), "value": value}
