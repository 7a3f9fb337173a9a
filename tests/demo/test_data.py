"""The demo's data is sound: a person who looks at it should find nothing odd."""

import json
import re
from collections import Counter
from importlib.resources import files
from itertools import combinations
from typing import Any

import pytest
import yaml
from rapidfuzz import fuzz

from assay.core.templates import compile_template
from assay.gateway.providers.builtin import BuiltinModel
from assay.gateway.types import ModelRequest
from assay.grading.assertions import compile_assertions
from assay.grading.results import Answer
from assay.playground.prompts.versions.schemas import VersionCreate

INTENTS = {
    "billing",
    "refund",
    "shipping",
    "account_access",
    "technical_issue",
    "cancellation",
    "product_question",
}
CHANNELS = {"email", "chat", "phone-transcript", "social"}
DIFFICULTIES = {"easy", "medium", "hard"}
PROMPTS = ["prompt_v1.yaml", "prompt_v2.yaml"]


def read(name: str) -> str:
    return (files("assay.demo") / "data" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def items() -> list[dict[str, Any]]:
    return [json.loads(line) for line in read("support_messages.jsonl").splitlines()]


@pytest.fixture(scope="module", params=PROMPTS)
def prompt(request: pytest.FixtureRequest) -> dict[str, Any]:
    version: dict[str, Any] = yaml.safe_load(read(request.param))
    return version


def contents(prompt: dict[str, Any]) -> str:
    return "\n".join(message["content"] for message in prompt["template_messages"])


def test_items_have_the_shape_of_dataset_items(items: list[dict[str, Any]]) -> None:
    for item in items:
        assert item.keys() == {"id", "input", "expected_output", "metadata"}
        assert item["input"].keys() == {"message", "channel"}
        assert item["input"]["channel"] in CHANNELS
        assert item["metadata"].keys() <= {"difficulty", "note"}
        assert item["metadata"]["difficulty"] in DIFFICULTIES
        message = item["input"]["message"]
        assert message
        assert message == message.strip()


def test_ids_are_unique_and_in_order(items: list[dict[str, Any]]) -> None:
    wanted = [f"support-{number:03}" for number in range(1, len(items) + 1)]
    assert [item["id"] for item in items] == wanted


def test_every_intent_is_there_about_equally_often(items: list[dict[str, Any]]) -> None:
    counts = Counter(item["expected_output"] for item in items)
    assert counts.keys() == INTENTS
    assert len(items) >= 170
    assert max(counts.values()) <= 1.2 * min(counts.values())


def test_medium_and_hard_messages_have_their_share(items: list[dict[str, Any]]) -> None:
    counts = Counter(item["metadata"]["difficulty"] for item in items)
    assert counts["medium"] >= 0.25 * len(items)
    assert counts["hard"] >= 0.15 * len(items)


def test_every_intent_has_messages_of_every_difficulty(items: list[dict[str, Any]]) -> None:
    kinds = {(item["expected_output"], item["metadata"]["difficulty"]) for item in items}
    assert kinds == {(intent, level) for intent in INTENTS for level in DIFFICULTIES}


def test_every_hard_message_says_why(items: list[dict[str, Any]]) -> None:
    silent = [
        item["id"]
        for item in items
        if item["metadata"]["difficulty"] == "hard" and not item["metadata"].get("note")
    ]
    assert silent == []


def test_no_two_messages_are_nearly_alike(items: list[dict[str, Any]]) -> None:
    alike = [
        (first["id"], second["id"])
        for first, second in combinations(items, 2)
        if fuzz.ratio(
            first["input"]["message"].lower(), second["input"]["message"].lower(), score_cutoff=92
        )
    ]
    assert alike == []


def test_no_message_holds_an_address_or_a_phone_number(items: list[dict[str, Any]]) -> None:
    private = re.compile(r"\S@\S|https?://|\+?\d[\d ()/-]{7,}\d")
    assert [item["id"] for item in items if private.search(item["input"]["message"])] == []


def test_no_message_could_be_taken_for_a_part_of_the_prompt(items: list[dict[str, Any]]) -> None:
    part = re.compile(r"^\s*(Message:|- \w+(:|$))", re.MULTILINE)
    assert [item["id"] for item in items if part.search(item["input"]["message"])] == []


def test_prompt_has_the_shape_of_a_chat_version(prompt: dict[str, Any]) -> None:
    assert prompt.keys() == {"commit_message", "type", "template_messages"}
    assert prompt["commit_message"]
    assert prompt["type"] == "chat"
    assert [message["role"] for message in prompt["template_messages"]] == ["system", "user"]
    assert "Message: {{message}}" in prompt["template_messages"][-1]["content"]


def test_prompt_takes_the_message_only(prompt: dict[str, Any]) -> None:
    assert compile_template(contents(prompt)).variables == {"message"}


def test_prompt_lists_every_intent_once(prompt: dict[str, Any]) -> None:
    listed = re.findall(r"^- (\w+)", contents(prompt), re.MULTILINE)
    assert sorted(listed) == sorted(INTENTS)


def test_only_the_second_version_describes_the_labels() -> None:
    first, second = (contents(yaml.safe_load(read(name))) for name in PROMPTS)
    assert not re.search(r"^- \w+:", first, re.MULTILINE)
    assert len(re.findall(r"^- \w+: when ", second, re.MULTILINE)) == len(INTENTS)


async def keyword_pass_rate(prompt: str, items: list[dict[str, Any]]) -> float:
    """The share of the messages that the model without a key gets right with a prompt."""
    version = VersionCreate.model_validate(yaml.safe_load(read(prompt)))
    renderer = version.renderer()
    model = BuiltinModel("keyword-classifier")
    right = 0
    for item in items:
        response = await model.complete(ModelRequest(renderer.render(item["input"])))
        right += response.text == item["expected_output"]
    return right / len(items)


async def test_descriptions_help_even_a_classifier_that_counts_words(
    items: list[dict[str, Any]],
) -> None:
    first, second = [await keyword_pass_rate(prompt, items) for prompt in PROMPTS]
    guessing = 1 / len(INTENTS)
    assert guessing < first < 0.5
    assert first + 0.2 < second < 0.8


@pytest.mark.parametrize(
    ("output", "passed", "metrics"),
    [
        ("refund", True, {"accuracy": 1.0, "valid_label": 1.0}),
        ("billing", False, {"accuracy": 0.0, "valid_label": 1.0}),
        ("Refund.", False, {"accuracy": 0.0, "valid_label": 0.0}),
    ],
)
def test_assertions_tell_a_wrong_label_from_none(
    output: str, passed: bool, metrics: dict[str, float]
) -> None:
    grader = compile_assertions(yaml.safe_load(read("assertions.yaml")))
    grading = grader.grade(Answer(output), {"message": "…", "expected_output": "refund"})
    assert grading.passed is passed
    assert grading.score == float(passed)
    assert grading.metrics() == metrics


def test_every_expected_output_is_a_valid_label(items: list[dict[str, Any]]) -> None:
    grader = compile_assertions(yaml.safe_load(read("assertions.yaml")))
    for item in items:
        variables = {**item["input"], "expected_output": item["expected_output"]}
        metrics = grader.grade(Answer(item["expected_output"]), variables).metrics()
        assert metrics == {"accuracy": 1.0, "valid_label": 1.0}
