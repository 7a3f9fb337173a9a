import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.testing.scripted_process import run_scripted_server

Run = Callable[..., Any]

CELLS = 40
WORDS = [f"word{number}" for number in range(CELLS)]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "slow suite.yaml"
    path.write_text(
        f"""
        prompts: ["{{{{word}}}}", {{label: loud, raw: "{{{{word}}}}!"}}]
        providers: [openai/scripted]
        tests: [{{vars: {{word: [{", ".join(WORDS)}]}}}}]
        """
    )
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_evaluation_goes_on_where_it_was(
    assay: Run,
    spawn: Run,
    query: Run,
    suite: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    with run_scripted_server(latency=0.1) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        with spawn("eval", suite.name, "--concurrency", "4") as command:
            command.wait_for("cells")
            while not query("SELECT 1 FROM playground.eval_results LIMIT 1"):
                assert command.process.poll() is None
            ended = command.end(number)
        assert ended.code == 130
        assert "Traceback" not in ended.err
        assert "--resume last" in ended.err
        assert "'slow suite.yaml'" in ended.err
        statuses = query("SELECT status FROM playground.eval_runs")
        assert statuses == [("canceled",), ("canceled",)]
        stored = query("SELECT output FROM playground.eval_results")
        assert 0 < len(stored) < 2 * CELLS
        asked = server.stats()["asked"]

        ids = re.findall(r"--resume ([0-9a-f-]{36},[0-9a-f-]{36})", ended.err)[0]
        resumed = assay("eval", suite, "--resume", ids if number == signal.SIGINT else "last")
        assert resumed.code == 0, resumed.err
        assert f"{2 * CELLS} of {2 * CELLS} cells passed." in resumed.out
        now = server.stats()["asked"]
    assert all(now[output] == asked[output] for (output,) in stored)
    cells = query("SELECT count(*), count(DISTINCT output) FROM playground.eval_results")
    assert cells == [(2 * CELLS, 2 * CELLS)]


def test_models_that_cannot_be_asked_now_are_named(
    assay: Run, query: Run, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_scripted_server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        assert assay("eval", suite).code == 0
    query("UPDATE playground.eval_runs SET status = 'canceled'")
    monkeypatch.delenv("OPENAI_BASE_URL")
    ended = assay("eval", suite, "--resume", "last")
    assert ended.code == 2
    assert "openai/scripted: provider openai wants a key" in ended.err
    assert query("SELECT DISTINCT status FROM playground.eval_runs") == [("canceled",)]


def test_errors_of_a_model_are_shown(
    assay: Run, dsn: str, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-word")
    with run_scripted_server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.base_url}/nowhere")
        ended = assay("eval", suite, "--failures", "1")
    assert ended.code == 1
    assert "error item 1 word: word0" in ended.out
    assert "answered 404" in ended.out
    assert "secret-word" not in ended.out + ended.err
