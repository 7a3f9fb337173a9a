import signal
from collections.abc import Callable
from typing import Any
from urllib.request import urlopen

import pytest

from assay.cli.demo import choose_models
from assay.demo.sample import read_sample
from assay.testing.scripted_process import run_scripted_server

Run = Callable[..., Any]


def test_the_sample_is_whole() -> None:
    sample = read_sample()
    assert len(sample.versions) == 2
    assert len(sample.items) >= 150
    assert sample.versions[0].renderer().required == {"message"}
    assert all("message" in item.input and item.expected_output for item in sample.items)


def test_models_that_make_sense_are_chosen() -> None:
    available = [
        "builtin/echo",
        "builtin/keyword-classifier",
        "builtin/arithmetic",
        "openai/small",
        "ollama/a",
        "ollama/b",
        "mistral/small",
        "groq/small",
    ]
    assert choose_models(available) == [
        "builtin/keyword-classifier",
        "openai/small",
        "ollama/a",
        "mistral/small",
    ]


def test_a_second_time_makes_only_runs(assay: Run, query: Run) -> None:
    for times in (1, 2):
        ended = assay("demo", "--no-serve")
        assert ended.code == 0, ended.err
        for row in (
            r"Intent of a message v1",
            r"Intent of a message v2",
            "builtin/keyword-classifier",
        ):
            assert row in ended.out
        counts = (
            "SELECT (SELECT count(*) FROM playground.projects), (SELECT count(*) FROM"
            " playground.prompt_versions), (SELECT count(*) FROM playground.datasets),"
            " (SELECT count(*) FROM playground.eval_runs WHERE status = 'completed')"
        )
        assert query(counts) == [(1, 2, 1, 2 * times)]


def test_a_local_server_joins_in(assay: Run, query: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with run_scripted_server(answer="refund") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        ended = assay("demo", "--no-serve")
    assert ended.code == 0
    assert "openai/scripted" in ended.out
    assert query("SELECT count(*) FROM playground.eval_results WHERE output = 'refund'") > [(300,)]


def test_a_real_model_that_fails_is_named_and_the_demo_is_well(
    assay: Run, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "")
    with run_scripted_server() as server:
        # Its list of models is there, what answers chats is not.
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setattr("assay.cli.demo.choose_models", lambda _: ["openai/x", "builtin/echo"])
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.base_url}/nowhere")
        ended = assay("demo", "--no-serve")
    assert ended.code == 0
    assert "Note: openai/x could not be asked: request_refused: openai/x answered 404" in ended.err


def test_it_serves_after_the_comparison(spawn: Run, dsn: str) -> None:
    with spawn("demo", "--port", "0") as command:
        url = command.wait_for(r"Serving at (http://127\.0\.0\.1:\d+),")[1]
        with urlopen(f"{url}/docs", timeout=10) as answer:
            assert answer.status == 200
        ended = command.end(signal.SIGINT)
    assert ended.code == 0
    assert "Intent of a message v2" in ended.out
    assert "Traceback" not in ended.err
