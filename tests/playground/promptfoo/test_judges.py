from collections.abc import Callable
from pathlib import Path

from assay.playground.promptfoo.expected import assertion_of
from assay.playground.promptfoo.service import run_options
from assay.playground.promptfoo.suite import Suite
from assay.playground.runs.schemas import EvalRunCreate, JudgeEntry

Read = Callable[..., Suite]
Faults = Callable[..., dict[str, str]]


def test_the_defaults_name_the_judge_of_the_run(read: Read) -> None:
    suite = read(
        """
        defaultTest:
          options:
            provider:
              text: {id: 'openai:chat:gpt-4.1', config: {temperature: 0}}
              embedding: openai:embedding:text-embedding-3-small
        """
    )
    assert suite.judge == {
        "model": "openai/gpt-4.1",
        "parameters": {"temperature": 0},
        "embedding": "openai/text-embedding-3-small",
        "embedding_parameters": {},
    }
    judge = JudgeEntry.model_validate(run_options(suite)["judge"])
    assert judge.embedding == "openai/text-embedding-3-small"
    assert "judge" in EvalRunCreate.model_fields
    alone = read("defaultTest: {options: {provider: openai:gpt-4.1}}")
    assert alone.judge == {"model": "openai/gpt-4.1", "parameters": {}}
    assert read("description: none").judge is None


def test_assertions_name_their_judges_in_assays_terms(read: Read) -> None:
    suite = read(
        """
        tests:
          - vars: {word: hi}
            assert:
              - {type: llm-rubric, value: x, provider: 'openai:gpt-4.1'}
              - {type: not-similar, value: x, provider: 'openai:embeddings:e'}
              - type: assert-set
                assert:
                  - type: answer-relevance
                    provider: {text: openai/t, embedding: {id: openai/e, config: {dimensions: 8}}}
        """
    )
    rubric, similar, group = suite.tests[0].assertions
    assert rubric["provider"] == {"id": "openai/gpt-4.1", "config": {}}
    assert similar["provider"] == {"id": "openai/e", "config": {}}
    assert group["assert"][0]["provider"] == {
        "text": {"id": "openai/t", "config": {}},
        "embedding": {"id": "openai/e", "config": {"dimensions": 8}},
    }


def test_options_of_a_test_fill_in_what_its_assertions_leave_open(
    read: Read, tmp_path: Path
) -> None:
    (tmp_path / "rubric.txt").write_text("Is {{ output }} good?\n")
    suite = read(
        """
        defaultTest:
          options: {provider: openai/default, rubricPrompt: file://rubric.txt}
          assert: [{type: llm-rubric, value: x}]
        tests:
          - vars: {word: hi}
          - vars: {word: ho}
            options: {provider: openai/own}
            assert:
              - type: assert-set
                assert:
                  - {type: factuality, value: y, rubricPrompt: 'Mine {{ completion }}'}
              - {type: similar, value: z}
              - {type: contains, value: z}
        """
    )
    [plain] = suite.tests[0].assertions
    assert plain["rubricPrompt"] == "Is {{ output }} good?"
    assert "provider" not in plain
    rubric, group, similar, contains = suite.tests[1].assertions
    own = {"id": "openai/own", "config": {}}
    assert (rubric["provider"], rubric["rubricPrompt"]) == (own, "Is {{ output }} good?")
    assert group["assert"][0] == {
        "type": "factuality",
        "value": "y",
        "rubricPrompt": "Mine {{ completion }}",
        "provider": own,
    }
    assert similar == {"type": "similar", "value": "z"}
    assert contains == {"type": "contains", "value": "z"}


def test_what_cannot_judge_is_named(faults: Faults) -> None:
    found = faults(
        """
        defaultTest: {options: {provider: 'file://judge.py', rubricPrompt: [one, two]}}
        tests:
          - assert:
              - {type: llm-rubric, value: x, provider: {text: 'openai:embedding:e'}}
              - {type: g-eval, value: x, provider: {classification: openai/m}}
              - {type: similar, value: x, rubricPrompt: x}
              - {type: contains, value: x, provider: openai/x}
        """
    )
    assert "Code and addresses are not called" in found["defaultTest.options.provider"]
    assert "list of messages" in found["defaultTest.options.rubricPrompt"]
    here = "tests[0].assert"
    assert "Assay asks chat models" in found[f"{here}[0].provider.text"]
    assert "No model classifies" in found[f"{here}[1].provider.classification"]
    assert "takes no prompt" in found[f"{here}[2].rubricPrompt"]
    assert "asks no model" in found[f"{here}[3].provider"]


def test_people_are_asked_as_the_file_says(read: Read) -> None:
    suite = read(
        """
        defaultTest:
          assert:
            - {type: human, value: "Is it kind to {{word}}?", deadline: 60, default: true}
        tests: [{vars: {word: a}, assert: [{type: not-human, value: Is it rude?, quorum: 3}]}]
        """
    )
    [test] = suite.tests
    assert {each["type"] for each in test.assertions} <= {"human", "not-human"}
    assert {"type": "not-human", "value": "Is it rude?", "quorum": 3} in test.assertions
    assert assertion_of("human: Is it kind?") == {"type": "human", "value": "Is it kind?"}
    assert assertion_of("not-human: Is it rude?")["type"] == "not-human"


def test_a_question_to_people_has_to_be_there(faults: Faults) -> None:
    found = faults("tests: [{vars: {word: a}, assert: [{type: human}]}]")
    assert found["tests[0].assert[0].value"].startswith("human needs a value: the question")
