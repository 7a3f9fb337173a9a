"""Reads the sample project that ships with the package."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import orjson
import yaml

from assay.grading.assertions import Assertion
from assay.playground.datasets.items.schemas import ItemCreate
from assay.playground.datasets.schemas import DatasetCreate
from assay.playground.projects.schemas import ProjectCreate, UseCaseCreate
from assay.playground.prompts.versions.schemas import VersionCreate

PROJECT = ProjectCreate(
    name="Sample: support desk", description="Made by assay demo, to try Assay with."
)
USE_CASE = UseCaseCreate(
    name="Sort messages", description="Finds what a customer wants, so that the right team answers."
)
PROMPT = "Intent of a message"
DATASET = DatasetCreate(
    name="Support messages", description="Messages to an online shop, with the intent of each."
)


@dataclass(frozen=True, slots=True)
class Sample:
    """The sample: versions of one prompt, the items to run them on, and how to grade."""

    versions: list[VersionCreate]
    items: list[ItemCreate]
    assertions: list[Assertion]


def read_sample() -> Sample:
    """The sample project."""
    return Sample(
        versions=[
            VersionCreate.model_validate(yaml.safe_load(_text(name)))
            for name in ("prompt_v1.yaml", "prompt_v2.yaml")
        ],
        items=[_item(orjson.loads(line)) for line in _text("support_messages.jsonl").splitlines()],
        assertions=[
            Assertion.model_validate(each) for each in yaml.safe_load(_text("assertions.yaml"))
        ],
    )


def _text(name: str) -> str:
    return (files("assay.demo") / "data" / name).read_text(encoding="utf-8")


def _item(line: dict[str, Any]) -> ItemCreate:
    metadata = {"id": line.pop("id"), **line.pop("metadata", {})}
    return ItemCreate(**line, metadata=metadata)
