"""What is kept of a cell while it waits: all that its result needs."""

from typing import Any
from uuid import uuid4

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from assay.core.database import to_json
from assay.grading.questions import Finding
from assay.grading.results import Answer
from assay.playground.runs.rows import AnsweredCell, WaitingRow
from assay.playground.runs.specification import Cell, Item, ModelChoice
from assay.playground.runs.waiting.payload import from_payload, to_payload

CELL = Cell(Item(uuid4(), {}, None, None), ModelChoice("m", "m", {}, None, "{}"), 2)
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text()
values = st.none() | st.dictionaries(texts, texts | st.booleans() | st.integers(0, 9))
findings = st.builds(
    Finding, texts, values, st.none() | texts, st.integers(0, 9), st.integers(0, 9), numbers
)
answers = st.builds(
    Answer,
    texts,
    numbers,
    numbers,
    st.none() | st.lists(st.floats(-9, 0)),
    st.lists(st.fixed_dictionaries({"role": texts, "content": texts})),
)


class Nobody:
    """A holder that is not asked."""

    job_id = uuid4()
    attempt = 1

    def stored(self, rows: int) -> None:
        raise AssertionError

    def lost(self) -> None:
        raise AssertionError


def kept(row: WaitingRow) -> tuple[AnsweredCell, dict[bytes, Finding]]:
    return from_payload(orjson.loads(to_json(to_payload(row))), CELL)


@given(answers, st.none() | texts, numbers, st.dictionaries(st.binary(max_size=32), findings))
def test_a_cell_comes_back_as_it_was(
    answer: Answer, request: str | None, cost: float | None, found: dict[bytes, Finding]
) -> None:
    answered = AnsweredCell(CELL, answer, request, request, {"cost": cost}, cost)
    assert kept(WaitingRow(Nobody(), answered, [], found, cost)) == (answered, found)


def test_embeddings_come_back_as_they_were() -> None:
    vectors: Any = [np.asarray([0.1, -2.5], np.float32), np.asarray([1 / 3, 0], np.float32)]
    answered = AnsweredCell(CELL, Answer("x"), None, None, {}, None)
    finding = Finding("m/e", vectors, None, 3, 0, 0.5)
    _, found = kept(WaitingRow(Nobody(), answered, [], {b"k": finding}, None))
    for before, after in zip(vectors, found[b"k"].value, strict=True):
        assert np.array_equal(before, np.asarray(after, np.float32))
    assert found[b"k"].cost == 0.5
