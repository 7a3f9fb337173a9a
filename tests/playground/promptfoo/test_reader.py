from collections.abc import Callable
from pathlib import Path

import pytest

from assay.playground.promptfoo.reader import read_suite
from assay.playground.promptfoo.service import run_options
from assay.playground.promptfoo.suite import Suite

Read = Callable[..., Suite]
Faults = Callable[..., dict[str, str]]


def test_a_whole_file(read: Read) -> None:
    suite = read(
        """
        description: Greetings
        prompts:
          - "Greet {{name}} in {{language}}"
          - label: short
            raw: "{{language}}: {{name}}"
        providers:
          - openai:chat:gpt-4.1-mini
          - id: anthropic/claude-haiku-4-5
            label: haiku
            config: {temperature: 0, max_tokens: 20}
        defaultTest:
          vars: {language: French}
          assert: [{type: icontains, value: "{{name}}"}]
        tests:
          - description: the first
            vars: {name: Ada}
          - vars: {name: Grace, language: German}
            assert: [{type: starts-with, value: Hallo}]
            metadata: {kind: formal}
        evaluateOptions: {maxConcurrency: 7}
        """,
        whole=True,
    )
    assert suite.description == "Greetings"
    assert [prompt.name for prompt in suite.prompts] == ["prompt 1", "short"]
    assert suite.prompts[0].version.template_text == "Greet {{name}} in {{language}}"
    assert [(p.model, p.label, p.parameters) for p in suite.providers] == [
        ("openai/gpt-4.1-mini", None, {}),
        ("anthropic/claude-haiku-4-5", "haiku", {"temperature": 0, "max_tokens": 20}),
    ]
    first, second = suite.tests
    assert (first.description, first.variables) == (
        "the first",
        {"name": "Ada", "language": "French"},
    )
    assert first.assertions == [{"type": "icontains", "value": "{{name}}"}]
    assert second.variables == {"name": "Grace", "language": "German"}
    assert [a["type"] for a in second.assertions] == ["icontains", "starts-with"]
    assert second.metadata == {"kind": "formal"}
    assert suite.max_concurrency == 7
    assert suite.warnings == []


def test_json_is_read_too(read: Read) -> None:
    suite = read(
        '{"prompts": "Say {{word}}", "providers": "echo", "tests": [{"vars": {"word": "hi"}}]}',
        name="suite.json",
        whole=True,
    )
    assert [provider.model for provider in suite.providers] == ["builtin/echo"]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("prompts: []", "prompts", "at least one prompt"),
        ("prompts: 5", "prompts", "must be a list"),
        ("providers: []", "providers", "at least one model"),
        ("tests: []", "tests", "at least one test"),
        ("tests: file://tests.yaml", "tests", "No such file"),
        ("tests: file://tests.docx", "tests", "does not end in one of"),
        ("tests: [file://more.yaml]", "tests[0]", "No such file"),
        ("tests: [file://make.py:tests]", "tests[0]", "code is not run"),
        ("tests: [5]", "tests[0]", "must be an object"),
        ("description: 5", "description", "must be a text"),
        ("scenarios: []", "scenarios", "not read"),
        ("outputPath: out.json", "outputPath", "--json"),
        ("provider: x", "provider", "Did you mean providers?"),
        ("evaluateOptions: {repeat: 0}", "evaluateOptions.repeat", "from 1 to 100"),
        ("evaluateOptions: {maxConcurrency: 0}", "evaluateOptions.maxConcurrency", "from 1 to"),
        ("evaluateOptions: {maxConcurrency: true}", "evaluateOptions.maxConcurrency", "from 1"),
        ("defaultTest: file://default.yaml", "defaultTest", "No such file"),
        ("tests: [{vars: {other: 1}}]", "tests[0].vars", '"word" is missing'),
        ("prompts: ['{{ env.HOME }}']", "tests[0].vars", "environment are not filled in"),
    ],
)
def test_faults_name_place_and_remedy(faults: Faults, text: str, place: str, message: str) -> None:
    found = faults(text)
    assert message in found[place]


@pytest.mark.parametrize("name", ["prompts", "providers", "tests"])
def test_what_is_missing_is_named(faults: Faults, name: str) -> None:
    text = {"prompts": "prompts: [a]", "providers": "providers: [echo]", "tests": "tests: [{}]"}
    del text[name]
    assert faults("\n".join(text.values()), whole=True)[name] == "This is missing."


@pytest.mark.parametrize("text", ["", "- a", "just text", "5"])
def test_a_file_must_hold_an_object(faults: Faults, text: str) -> None:
    assert "must be an object" in faults(text, whole=True)["the file"]


def test_all_faults_are_named_at_once(faults: Faults) -> None:
    found = faults(
        """
        prompts: ["{{ oops"]
        providers: [nonsense]
        tests: [{assert: [{type: contain, value: x}]}]
        """,
        whole=True,
    )
    assert found[""].endswith("has 3 faults")
    assert set(found) == {"", "prompts[0]", "providers[0]", "tests[0].assert[0].type"}


def test_a_missing_variable_is_named_once_for_each_test(faults: Faults) -> None:
    found = faults(
        """
        prompts: ["{{ word }} {{ other }}"]
        tests:
          - vars: {word: [a, b, c]}
          - vars: {word: d, other: e}
        """
    )
    assert set(found) == {"", "tests[0].vars"}


def test_a_variable_with_a_default_may_be_missing(read: Read) -> None:
    suite = read("prompts: [\"{{ word | default('x') }}\"]\ntests: [{}]")
    assert suite.tests[0].variables == {}


def test_there_is_no_such_file(tmp_path: Path, faults: Faults) -> None:
    with pytest.raises(Exception, match="No such file"):
        read_suite(tmp_path / "missing.yaml")


def test_options_and_derived_metrics_are_carried_over(read: Callable[..., Suite]) -> None:
    suite = read(
        """
        evaluateOptions: {repeat: 3, cache: false, maxConcurrency: 2}
        derivedMetrics: [{name: f1, value: 2 * precision * recall / (precision + recall)}]
        """
    )
    options = run_options(suite)
    assert (options["repeat"], options["cache"], options["concurrency"]) == (3, "off", 2)
    assert [each["name"] for each in options["derived_metrics"]] == ["f1"]


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("{name: a, value: 'function (x) { return 1 }'}", "not run"),
        ("{name: a, value: '1 +'}", ""),
        ("{value: '1'}", ""),
    ],
)
def test_a_derived_metric_that_cannot_be_computed_is_named(
    faults: Faults, metric: str, message: str
) -> None:
    found = faults(f"derivedMetrics: [{metric}]")
    assert any(
        place.startswith("derivedMetrics[0]") and message in reason
        for place, reason in found.items()
    )
