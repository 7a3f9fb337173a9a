from collections.abc import Callable
from typing import Any

import pytest

from assay.playground.promptfoo.suite import Suite

Read = Callable[..., Suite]
Faults = Callable[..., dict[str, str]]


def variables(suite: Suite) -> list[dict[str, Any]]:
    return [test.variables for test in suite.tests]


def test_lists_of_texts_make_all_combinations(read: Read) -> None:
    suite = read("tests: [{vars: {word: [a, b], tone: [x, y], other: 1}}, {vars: {word: c}}]")
    assert variables(suite) == [
        {"word": "a", "tone": "x", "other": 1},
        {"word": "a", "tone": "y", "other": 1},
        {"word": "b", "tone": "x", "other": 1},
        {"word": "b", "tone": "y", "other": 1},
        {"word": "c"},
    ]
    assert [test.place for test in suite.tests] == ["tests[0]"] * 4 + ["tests[1]"]


def test_other_lists_are_values(read: Read) -> None:
    suite = read("tests: [{vars: {word: [1, 2], empty: [], objects: [{a: 1}]}}]")
    assert variables(suite) == [{"word": [1, 2], "empty": [], "objects": [{"a": 1}]}]


@pytest.mark.parametrize("where", ["defaultTest: {options: %s}", "tests: [{%s, options: %s}]"])
def test_expansion_can_be_switched_off(read: Read, where: str) -> None:
    options, given = "{disableVarExpansion: true}", "vars: {word: [a, b]}"
    if where.startswith("tests"):
        text = where % (given, options)
    else:
        text = f"{where % options}\ntests: [{{{given}}}]"
    assert variables(read(text)) == [{"word": ["a", "b"]}]


def test_variables_name_each_other(read: Read) -> None:
    suite = read(
        """
        defaultTest:
          vars: {greeting: "Hello {{ name }}", name: "{{first}} {{last}}", last: Lovelace}
        tests:
          - vars: {word: "{{greeting}}!", first: Ada, data: {n: 1}, text: "{{data}} {{unknown}}"}
        """
    )
    [found] = variables(suite)
    assert found["word"] == "Hello Ada Lovelace!"
    assert found["text"] == '{"n": 1} {{unknown}}'


def test_a_circle_of_variables_ends(read: Read) -> None:
    [found] = variables(read('tests: [{vars: {word: "{{a}}", a: "{{word}}"}}]'))
    assert "{{" in found["word"]


def test_one_newline_at_the_end_is_cut_off(read: Read) -> None:
    assert variables(read('tests: [{vars: {word: "a\\n\\n"}}]')) == [{"word": "a\n"}]


def test_other_markup_in_variables_stays_and_is_reported(read: Read) -> None:
    suite = read('tests: [{vars: {word: "{{ a | upper }}"}}]')
    assert variables(suite) == [{"word": "{{ a | upper }}"}]
    [warning] = suite.warnings
    assert warning.startswith("tests[0].vars.word: ")


def test_a_threshold_wraps_all_assertions_in_a_set(read: Read) -> None:
    suite = read(
        """
        defaultTest: {assert: [{type: contains, value: a}], threshold: 0.5}
        tests:
          - {vars: {word: a}, assert: [{type: contains, value: b, weight: 2}]}
          - {vars: {word: a}, threshold: 0}
        """
    )
    assert [test.assertions for test in suite.tests] == [
        [
            {
                "type": "assert-set",
                "threshold": 0.5,
                "assert": [
                    {"type": "contains", "value": "a"},
                    {"type": "contains", "value": "b", "weight": 2},
                ],
            }
        ],
        [
            {
                "type": "assert-set",
                "threshold": 0,
                "assert": [{"type": "contains", "value": "a"}],
            }
        ],
    ]


def test_a_threshold_alone_asks_for_nothing(read: Read) -> None:
    suite = read("tests: [{vars: {word: a}, threshold: 0.5}]")
    assert suite.tests[0].assertions == []


def test_default_assertions_can_be_left_out(read: Read) -> None:
    suite = read(
        """
        defaultTest: {assert: [{type: contains, value: a}]}
        tests:
          - {vars: {word: a}, options: {disableDefaultAsserts: true}}
        """
    )
    assert suite.tests[0].assertions == []


def test_options_without_effect_are_reported(read: Read) -> None:
    suite = read("defaultTest: {options: {disableConversationVar: true, runSerially: true}}")
    assert suite.warnings == [
        "defaultTest.options.disableConversationVar: has no effect here",
        "defaultTest.options.runSerially: has no effect here",
    ]


@pytest.mark.parametrize(
    ("test", "place", "message"),
    [
        ("vars: file://x.yaml", ".vars", "No such file"),
        ("vars: 5", ".vars", "must be an object"),
        ("vars: {word: file://x.txt}", ".vars.word", "No such file"),
        ("vars: {word: [a, file://x.txt]}", ".vars.word[1]", "No such file"),
        ("vars: {word: file://x.js}", ".vars.word", "code is not run"),
        ("vars: {word: file://../x.txt}", ".vars.word", "not in the folder"),
        ("assert: {type: contains}", ".assert", "must be a list"),
        ("assert: [contains]", ".assert[0]", "must be an object with a type"),
        ("assert: [{type: containz, value: x}]", ".assert[0].type", 'mean "contains"'),
        ("assert: [{type: meteor, value: x}]", ".assert[0].type", "no assertion type"),
        ("assert: [{type: llm-rubric}]", ".assert[0].value", "needs a value"),
        ("assert: [{type: classifier, value: x}]", ".assert[0].type", "No model classifies"),
        ("options: {factuality: {subset: 0}}", ".options.factuality", "no scores of their own"),
        ("assert: [{type: javascript, value: x}]", ".assert[0].type", "not run"),
        ("assert: [{type: not-python, value: x}]", ".assert[0].type", "not run"),
        ("assert: [{type: contains, value: file://x}]", ".assert[0].value", "No such file"),
        ("assert: [{type: contains}]", ".assert[0].value", "needs a value"),
        ("assert: [{type: contains, value: {a: 1}}]", ".assert[0].value", "not object"),
        ("assert: [{type: regex, value: '('}]", ".assert[0].value", "missing"),
        ("assert: [{type: contains, value: '{{'}]", ".assert[0].value", "Line 1"),
        ("assert: [{type: latency, threshold: -1}]", ".assert[0].threshold", "greater than"),
        ("assert: [{type: contains, value: a, transform: x}]", ".assert[0].transform", "not run"),
        (
            "assert: [{type: contains, value: a}, {type: assert-set, assert: [{type: nope}]}]",
            ".assert[1].assert[0].type",
            "no assertion type",
        ),
        (
            "assert: [{type: assert-set, assert: [{type: javascript, value: x}]}]",
            ".assert[0].assert[0].type",
            "not run",
        ),
        ("threshold: 80", ".threshold", "from 0 to 1"),
        ("threshold: true", ".threshold", "from 0 to 1"),
        ("options: {transform: x}", ".options.transform", "Code is not run"),
        ("options: {disableVarExpansion: maybe}", ".options.disableVarExpansion", "true or false"),
        ("options: {nonsense: 1}", ".options.nonsense", "no such field"),
        ("provider: openai/x", ".provider", "Every test runs"),
        ("metadata: 5", ".metadata", "must be an object"),
        ("asserts: []", ".asserts", "Did you mean assert?"),
    ],
)
@pytest.mark.parametrize("of", ["test", "defaultTest"])
def test_faults(faults: Faults, of: str, test: str, place: str, message: str) -> None:
    if of == "test":
        found = faults(f"defaultTest: {{vars: {{word: a}}}}\ntests: [{{}}, {{{test}}}]")
        assert message in found[f"tests[1]{place}"]
    else:
        found = faults(f"defaultTest: {{{test}}}")
        assert message in found[f"defaultTest{place}"]


def test_faults_in_defaults_are_named_once(faults: Faults) -> None:
    found = faults("defaultTest: {assert: [{type: nope}]}\ntests: [{}, {}, {}]")
    assert set(found) == {"", "defaultTest.assert[0].type"}


def test_too_many_tests_are_refused(faults: Faults) -> None:
    many = "[" + ",".join(f"a{i}" for i in range(400)) + "]"
    found = faults(f"tests: [{{vars: {{word: {many}, x: {many}}}}}]")
    assert "more than 100,000" in found["tests[0].vars"]
