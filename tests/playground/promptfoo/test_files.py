import json
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.playground.promptfoo.files import GivenFiles
from assay.playground.promptfoo.reader import read_configuration, read_suite
from assay.playground.promptfoo.suite import Suite, SuiteFault

Read = Callable[..., Suite]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], None]:
    """Writes a file beside the configuration."""

    def writing(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return writing


def words(suite: Suite) -> list[object]:
    return [test.variables["word"] for test in suite.tests]


def test_tests_come_from_yaml_json_and_json_lines(
    read: Read, write: Callable[[str, str], None]
) -> None:
    write("a.yaml", "- vars: {word: one}\n- vars: {word: two}")
    write("b.json", json.dumps([{"vars": {"word": "three"}}]))
    write("c.jsonl", '{"vars": {"word": "four"}}\n\n{"vars": {"word": "five"}}\n')
    suite = read("tests: [file://a.yaml, {vars: {word: here}}, file://b.json, file://c.jsonl]")
    assert words(suite) == ["one", "two", "here", "three", "four", "five"]
    assert suite.tests[0].place == "a.yaml[0]"


def test_a_pattern_names_the_files_in_their_order(
    read: Read, write: Callable[[str, str], None]
) -> None:
    for name in ("b", "a", "deep/c"):
        write(f"cases/{name}.yaml", f"vars: {{word: {name[-1]}}}")
    assert words(read("tests: file://cases/*.yaml")) == ["a", "b"]
    assert words(read("tests: file://cases/**/*.yaml")) == ["a", "b", "c"]


def test_prompts_of_a_pattern_are_named_after_their_files(
    read: Read, write: Callable[[str, str], None]
) -> None:
    write("prompts/long.txt", "Say {{word}} at length")
    write("prompts/short.txt", "Say {{word}}")
    suite = read("prompts: ['file://prompts/*.txt']")
    assert [prompt.name for prompt in suite.prompts] == ["prompts/long.txt", "prompts/short.txt"]


def test_variables_come_from_files(read: Read, write: Callable[[str, str], None]) -> None:
    write("vars.yaml", "word: from yaml\nother: 2")
    write("word.txt", "  from text\n")
    write("word.json", '{"deep": [1]}')
    assert read("tests: [{vars: file://vars.yaml}]").tests[0].variables["other"] == 2
    assert words(read("tests: [{vars: {word: file://word.txt}}]")) == ["from text"]
    assert words(read("tests: [{vars: {word: file://word.json}}]")) == [{"deep": [1]}]
    assert words(read("tests: [{vars: {word: [a, file://word.txt]}}]")) == ["a", "from text"]


def test_values_of_assertions_and_default_tests_come_from_files(
    read: Read, write: Callable[[str, str], None]
) -> None:
    write("schema.json", '{"type": "object"}')
    write("default.yaml", "assert: [{type: is-json, value: file://schema.json}]")
    suite = read("defaultTest: file://default.yaml")
    assert suite.tests[0].assertions == [{"type": "is-json", "value": {"type": "object"}}]


def test_a_fault_in_a_file_names_the_file(
    faults: Callable[..., dict[str, str]], write: Callable[[str, str], None]
) -> None:
    write("a.yaml", "- vars: {word: x}\n  assert: [{type: containz, value: x}]")
    write("b.jsonl", '{"vars": {}}\n{"vars": \n')
    found = faults("tests: [file://a.yaml, file://b.jsonl]")
    assert "contains" in found["a.yaml[0].assert[0].type"]
    assert "in line 2" in found["tests[1]"]


def test_the_server_reads_no_file_that_was_not_sent(tmp_path: Path) -> None:
    (tmp_path / "tests.yaml").write_text("vars: {word: secret}")
    value = {
        "prompts": ["{{word}}"],
        "providers": ["echo"],
        "tests": f"file://{tmp_path}/tests.yaml",
    }
    with pytest.raises(SuiteFault) as caught:
        read_configuration(value, GivenFiles({}), title="configuration")
    assert "did not come along" in str(caught.value)
    sent = GivenFiles({"./cases/a.yaml": "vars: {word: sent}"})
    suite = read_configuration({**value, "tests": "file://cases/*.yaml"}, sent, title="it")
    assert words(suite) == ["sent"]


def test_what_is_not_carried_over_is_listed_and_the_rest_is(tmp_path: Path) -> None:
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text("""
prompts: ["Say {{word}}", "file://prompt.py"]
providers:
  - id: echo
    config: {apiKey: sk-1, temperature: 0}
  - exec:./model.sh
tests:
  - vars: {word: hi}
    assert:
      - {type: contains, value: hi, transform: output.trim()}
      - {type: javascript, value: output.length > 1}
      - {type: assert-set, assert: [{type: python, value: x}, {type: icontains, value: HI}]}
redteam: {}
brandNew: 1
evaluateOptions: {delay: 100, repeat: 2}
""")
    suite = read_suite(path, leave_out=True)
    left_out = {fault.place: fault.message for fault in suite.left_out}
    assert left_out.keys() == {
        "prompts[1]",
        "providers[0].config.apiKey",
        "providers[1]",
        "tests[0].assert[0].transform",
        "tests[0].assert[1].type",
        "tests[0].assert[2].assert[0].type",
        "redteam",
        "brandNew",
        "evaluateOptions.delay",
    }
    assert all(left_out.values())
    assert [each["type"] for each in suite.tests[0].assertions] == ["contains", "assert-set"]
    assert suite.tests[0].assertions[1]["assert"] == [{"type": "icontains", "value": "HI"}]
    assert suite.providers[0].parameters == {"temperature": 0}
    assert suite.repeat == 2
    with pytest.raises(SuiteFault) as caught:
        read_suite(path)
    assert {fault.place for fault in caught.value.errors} == left_out.keys()


def test_where_nothing_is_left_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text("prompts: [exec:x.sh]\nproviders: [echo]\ntests: [{}]")
    with pytest.raises(SuiteFault) as caught:
        read_suite(path, leave_out=True)
    assert "Nothing of this can be carried over" in str(caught.value)
