"""The cases of `make bench-promptfoo`, against what promptfoo found when it was last recorded."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay.grading.assertions import compile_assertions
from assay.grading.results import Answer

FOLDER = Path(__file__).parents[2] / "benchmarks" / "promptfoo"
FOUND = json.loads((FOLDER / "found.json").read_text(encoding="utf-8"))
CASES = {
    f"{file.stem}: {case['description']}": case
    for file in (FOLDER / "cases").glob("*.yaml")
    for case in yaml.safe_load(file.read_text(encoding="utf-8"))
}


def test_every_case_was_recorded() -> None:
    assert CASES.keys() == FOUND.keys()
    assert len(CASES) >= 60
    # Both outcomes, and scores between, so that agreeing means something.
    assert {found["passed"] for found in FOUND.values()} == {True, False}
    assert sum(0 < found["score"] < 1 for found in FOUND.values()) >= 20


@pytest.mark.parametrize("name", sorted(CASES))
def test_it_is_graded_as_promptfoo_grades_it(name: str) -> None:
    case: dict[str, Any] = CASES[name]
    grader = compile_assertions(case["assert"], case.get("threshold"))
    answer = Answer(case["answer"], latency_ms=20, cost=1e-6, logprobs=case.get("logprobs"))
    grading = grader.grade(answer, case.get("vars", {}))
    assert not any(entry.error for entry in grading.entries)
    assert grading.passed == FOUND[name]["passed"], grading.reason
    assert grading.score == pytest.approx(FOUND[name]["score"], abs=1e-6)
