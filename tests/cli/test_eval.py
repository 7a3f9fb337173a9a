import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

PASSING = """
description: Greetings
prompts: ["Say {{word}}"]
providers: [builtin/echo]
tests:
  - vars: {word: hello}
    assert: [{type: contains, value: "{{word}}"}]
  - description: the second
    vars: {word: goodbye}
    assert: [{type: starts-with, value: Say, weight: 2, metric: start}]
"""
FAILING = PASSING.replace("value: Say", "value: Write")
RUNS = "SELECT name, status, total, passed, failed, concurrency FROM playground.eval_runs"


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "suite.yaml"
    path.write_text(PASSING)
    return path


def test_all_passed(assay: Run, query: Run, suite: Path) -> None:
    ended = assay("eval", "suite.yaml", "--name", "first try")
    assert ended.code == 0, ended.err
    assert "2 of 2 cells passed." in ended.out
    assert "100.0%" in ended.out
    assert "2/2 cells" in ended.err
    assert query(RUNS) == [("first try", "completed", 2, 2, 0, None)]
    names = (
        "SELECT p.name, u.name, u.description FROM playground.projects p, playground.use_cases u"
    )
    assert query(names) == [("Evaluations from files", "suite.yaml", "Greetings")]


def test_some_failed(assay: Run, dsn: str, suite: Path) -> None:
    suite.write_text(FAILING)
    ended = assay("eval", suite)
    assert ended.code == 1
    assert "failed item 2 the second" in ended.out
    assert "answer  Say goodbye" in ended.out
    assert 'reason  starts-with: The output does not start with "Write".' in ended.out
    assert "1 of 2 cells passed." in ended.out


def test_the_number_of_failures_shown_is_chosen(assay: Run, dsn: str, suite: Path) -> None:
    suite.write_text(FAILING.replace("contains", "not-contains"))
    ended = assay("eval", suite, "--failures", "1")
    assert ended.out.count("failed item") == 1
    assert "and 1 more" in ended.out
    ended = assay("eval", suite, "--failures", "0")
    assert "failed item" not in ended.out


def test_an_answer_that_is_markup_is_printed_as_it_is(assay: Run, dsn: str, suite: Path) -> None:
    suite.write_text(FAILING.replace("goodbye", "'[bold]x[/] [link=y]'"))
    assert "answer  Say [bold]x[/] [link=y]" in assay("eval", suite).out


def test_nothing_is_made_twice_until_it_changes(assay: Run, query: Run, suite: Path) -> None:
    kept = (
        "SELECT (SELECT count(*) FROM playground.projects), (SELECT count(*) FROM"
        " playground.use_cases), (SELECT count(*) FROM playground.prompts), (SELECT count(*) FROM"
        " playground.prompt_versions), (SELECT count(*) FROM playground.datasets),"
        " (SELECT count(*) FROM playground.eval_runs)"
    )
    for _ in range(2):
        assert assay("eval", suite).code == 0
    assert query(kept) == [(1, 1, 1, 1, 1, 2)]
    suite.write_text(PASSING.replace("Say {{", "Say it: {{"))
    assert assay("eval", suite).code == 0
    assert query(kept) == [(1, 1, 1, 2, 1, 3)]
    suite.write_text(PASSING.replace("goodbye", "farewell"))
    assert assay("eval", suite).code == 0
    assert query(kept) == [(1, 1, 1, 2, 2, 4)]
    other = suite.with_name("other.yaml")
    other.write_text(PASSING)
    assert assay("eval", other).code == 0
    assert query(kept) == [(1, 2, 2, 3, 3, 5)]


def test_a_changed_item_is_not_taken_for_the_files(assay: Run, query: Run, suite: Path) -> None:
    assert assay("eval", suite).code == 0
    query("""UPDATE playground.dataset_items SET input = '{"word": "other"}'""")
    assert assay("eval", suite).code == 0
    assert query("SELECT count(*) FROM playground.datasets") == [(2,)]


def test_every_prompt_is_a_run_with_every_provider(assay: Run, query: Run, suite: Path) -> None:
    suite.write_text(
        """
        prompts: ["Say {{word}}", {label: polite, raw: "Please say {{word}}"}]
        providers: [builtin/echo, {id: builtin/echo, label: again}]
        tests: [{vars: {word: [a, b, c]}, assert: [{type: starts-with, value: Please}]}]
        evaluateOptions: {maxConcurrency: 5}
        """
    )
    ended = assay("eval", suite, "--json", "-")
    assert ended.code == 1
    result = json.loads(ended.out)
    assert [(run["prompt"], run["progress"]["passed"]) for run in result["runs"]] == [
        ("prompt 1", 0),
        ("polite", 6),
    ]
    assert set(result["runs"][0]["summary"]["models"]) == {"builtin/echo", "again"}
    assert sorted(row[5] for row in query(RUNS)) == [2, 3]
    assert "polite v1" in ended.err


def test_results_for_programs(assay: Run, dsn: str, suite: Path, tmp_path: Path) -> None:
    suite.write_text(FAILING)
    assert assay("eval", suite, "--json", "out.json").code == 1
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["passed"] is False
    first, second = result["results"]
    assert first["item"] == 1
    assert first["variables"] == {"word": "hello"}
    assert (first["output"], first["passed"], first["error"]) == ("Say hello", True, None)
    assert second["metadata"] == {"description": "the second"}
    assert second["grading"]["metrics"] == {"start": 0.0}
    assert {"run", "model", "score", "metrics"} <= second.keys()


def test_more_results_than_a_page(assay: Run, dsn: str, suite: Path) -> None:
    words = ", ".join(f"w{i}" for i in range(600))
    suite.write_text(
        f"prompts: ['{{{{word}}}}']\nproviders: [echo]\ntests: [{{vars: {{word: [{words}]}}}}]\n"
    )
    result = json.loads(assay("eval", suite, "--json", "-").out)
    assert [cell["output"] for cell in result["results"]] == [f"w{i}" for i in range(600)]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("prompts: [a", "", "line 2, column 1"),
        (PASSING.replace("contains", "containz"), "tests[0].assert[0].type", 'mean "contains"'),
        (PASSING.replace("{word: goodbye}", "{}"), "tests[1].vars", '"word" is missing'),
        (PASSING.replace("builtin/echo", "nowhere/x"), "providers[0]", "there is no provider"),
        (PASSING.replace("builtin/echo", "builtin/ehco"), "providers[0]", "builtin/echo"),
        (PASSING.replace("builtin/echo", "openai/x"), "providers[0]", "OPENAI_API_KEY"),
        (PASSING.partition("tests:")[0] + "tests: []", "tests", "at least one test"),
        (PASSING.replace("Say {{word}}", "Say {{word"), "prompts[0]", "Line 1"),
        (PASSING + "prompts: [x]", "", '"prompts" is there twice'),
    ],
)
def test_a_faulty_file_starts_nothing(
    assay: Run, query: Run, suite: Path, text: str, place: str, message: str
) -> None:
    suite.write_text(text)
    ended = assay("eval", suite)
    assert ended.code == 2
    assert ended.out == ""
    [line] = [line for line in ended.err.splitlines() if message in line]
    assert line.strip().startswith(place)
    assert "Traceback" not in ended.err
    for table in ("projects", "datasets", "eval_runs"):
        assert query(f"SELECT count(*) FROM playground.{table}") == [(0,)]


def test_a_file_that_is_not_there(assay: Run) -> None:
    ended = assay("eval", "missing.yaml")
    assert ended.code == 2
    assert "missing.yaml cannot be read: No such file or directory" in ended.err


def test_many_faults_are_cut(assay: Run, suite: Path) -> None:
    tests = "\n".join("  - {assert: [{type: nope}]}" for _ in range(50))
    suite.write_text(f"prompts: [a]\nproviders: [echo]\ntests:\n{tests}")
    ended = assay("eval", suite)
    assert "has 50 faults" in ended.err
    assert "and 20 more" in ended.err


def test_warnings_do_not_stop_it(assay: Run, dsn: str, suite: Path) -> None:
    suite.write_text(PASSING + "defaultTest: {options: {runSerially: true}}")
    ended = assay("eval", suite)
    assert ended.code == 0
    assert "Note: defaultTest.options.runSerially: has no effect here" in ended.err


def test_json_has_to_go_somewhere(assay: Run, query: Run, suite: Path) -> None:
    ended = assay("eval", suite, "--json", "missing/out.json")
    assert ended.code == 2
    assert "cannot be written" in ended.err
    assert query(RUNS) == []


def test_what_cannot_be_resumed(assay: Run, dsn: str, suite: Path) -> None:
    for which, message in (
        ("last", "There is no evaluation of suite.yaml"),
        ("019abcde-0000-7000-8000-000000000000", "There is no evaluation of suite.yaml"),
    ):
        ended = assay("eval", suite, "--resume", which)
        assert (ended.code, message in ended.err) == (2, True)
    assert assay("eval", suite).code == 0
    for which, message in (
        ("019abcde-0000-7000-8000-000000000000", "suite.yaml has no run 019abcde"),
        ("nonsense", "takes ids of runs, or last"),
    ):
        ended = assay("eval", suite, "--resume", which)
        assert (ended.code, message in ended.err) == (2, True)


def test_resuming_what_is_complete_reports_it_again(assay: Run, query: Run, suite: Path) -> None:
    assert assay("eval", suite).code == 0
    ended = assay("eval", suite, "--resume", "last")
    assert ended.code == 0
    assert "2 of 2 cells passed." in ended.out
    assert len(query(RUNS)) == 1


def test_results_for_continuous_integration(
    assay: Run, dsn: str, suite: Path, tmp_path: Path
) -> None:
    suite.write_text(FAILING.replace('["Say {{word}}"]', '["Say {{word}}", "Write {{word}}"]'))
    assert assay("eval", suite, "--name", "ci", "--junit", "out.xml").code == 1
    root = ET.parse(tmp_path / "out.xml").getroot()
    assert [each.attrib["failures"] for each in root] == ["1", "0"]
    cases = root.findall("testsuite/testcase")
    assert [(case.attrib["name"], len(case)) for case in cases] == [
        ("1. word: hello", 0),
        ("2. the second", 1),
        ("1. word: hello", 0),
        ("2. the second", 0),
    ]
    assert cases[0].attrib["classname"] == "prompt 1 v1 / builtin/echo"
    ended = assay("eval", suite, "--junit", "nowhere/out.xml")
    assert ended.code == 2
    assert "--junit nowhere/out.xml cannot be written" in ended.err
