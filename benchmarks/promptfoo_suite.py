"""The cases that Assay and promptfoo are held against each other with, as files for both."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from assay.testing.script import ChatRequest, last_user_message

FOLDER = Path(__file__).parent / "promptfoo"
MODEL = "gpt-4o-mini"
"""A name that both know the price of."""

_ASKED = "case "


@dataclass(frozen=True, slots=True)
class Case:
    """One cell: what the model answers and what is asked of the answer.

    Attributes:
        name: its file and its description.
        answer: what the scripted model says.
        logprobs: the log-probabilities that come with it, if any.
        test: the test as both tools take it, without what follows from the name.
        differs: for a difference on purpose, what each tool finds and the reason.
    """

    name: str
    answer: str
    logprobs: list[float] | None
    test: Mapping[str, Any]
    differs: Mapping[str, Any] | None = None


class Suite:
    """Cases with the model that answers them; a case is known by its number."""

    def __init__(self, cases: Sequence[Case]) -> None:
        """Take the cases in their order."""
        self.cases = cases

    def answer(self, request: ChatRequest) -> str:
        """What the model answers."""
        return self._asked(request).answer

    def logprobs(self, request: ChatRequest) -> list[float]:
        """The log-probabilities of the answer; none where the case says nothing of them."""
        return self._asked(request).logprobs or []

    def write(self, folder: Path, in_flight: int) -> tuple[Path, Path]:
        """Write the suite for Assay and for promptfoo; gives the two files."""
        config = {"temperature": 1}
        assay = {"id": f"openai/{MODEL}", "config": {**config, "logprobs": True}}
        promptfoo = {
            "id": f"openai:chat:{MODEL}",
            "config": {**config, "passthrough": {"logprobs": True}},
        }
        return (
            self._write(folder / "assay.json", assay, in_flight),
            self._write(folder / "promptfoo.json", promptfoo, in_flight),
        )

    def _write(self, file: Path, provider: Mapping[str, Any], in_flight: int) -> Path:
        tests = [
            {**case.test, "vars": {**case.test.get("vars", {}), "case": str(number)}}
            for number, case in enumerate(self.cases)
        ]
        suite = {
            "prompts": [_ASKED + "{{case}}"],
            "providers": [provider],
            "evaluateOptions": {"maxConcurrency": in_flight},
            "tests": tests,
        }
        file.write_text(json.dumps(suite, ensure_ascii=False), encoding="utf-8")
        return file

    def _asked(self, request: ChatRequest) -> Case:
        return self.cases[int(last_user_message(request).removeprefix(_ASKED))]


def read_cases() -> list[Case]:
    """The cases on which both have to agree."""
    return [case for file in sorted((FOLDER / "cases").glob("*.yaml")) for case in _read(file)]


def read_differences() -> list[Case]:
    """The cases in which Assay differs on purpose."""
    return _read(FOLDER / "differences.yaml")


def _read(file: Path) -> list[Case]:
    cases = []
    for entry in yaml.safe_load(file.read_text(encoding="utf-8")):
        differs = {key: entry.pop(key) for key in ("reason", "assay", "promptfoo") if key in entry}
        answer, logprobs = entry.pop("answer"), entry.pop("logprobs", None)
        if not isinstance(answer, str):
            raise TypeError(f"{file.name}: the answer {answer!r} is not text; put it in quotes.")
        name = f"{file.stem}: {entry['description']}"
        cases.append(Case(name, answer, logprobs, entry, differs or None))
    return cases
