"""Runs whose assertions ask models: judges and embeddings, through a real worker."""

import os
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from assay.gateway.rates import find_rate
from assay.gateway.types import Usage
from assay.testing.script import ChatRequest, form_of, last_user_message
from assay.testing.scripted_model import ScriptedModelServer

pytestmark = pytest.mark.usefixtures("worker")

Row = dict[str, Any]
RUBRIC = {"type": "llm-rubric", "value": "names {{ word }}"}


def pleased_by(part: str) -> Callable[[ChatRequest], Row]:
    """A judge that likes answers with `part` in it."""

    def judge(request: ChatRequest) -> Row:
        met = part in last_user_message(request)
        return {"reason": f"looked for {part}", "score": 0.9 if met else 0.2, "pass": met}

    return judge


@pytest.fixture
def results(client: httpx2.AsyncClient, start_run: Any, ended_run: Any) -> Any:
    """Starts a run, waits for its end, and gives it with its results in the items' order."""

    async def run(body: Row) -> tuple[Row, list[Row]]:
        ended = await ended_run((await start_run(body))["id"])
        assert ended["status"] == "completed", ended["error_message"]
        answer = await client.get(f"/api/v1/eval-runs/{ended['id']}/results")
        return ended, answer.json()

    return run


async def refused(client: httpx2.AsyncClient, body: Row) -> Row:
    answer = await client.post("/api/v1/eval-runs", json=body)
    assert answer.status_code == 422, answer.text
    problem: Row = answer.json()
    return problem


async def test_a_judge_decides_and_its_reason_is_kept(
    make_parts: Any, results: Any, scripted: Any
) -> None:
    parts = await make_parts(2)
    judge, server = await scripted(judge=pleased_by("Say word-1"))
    run, [first, second] = await results(
        parts.body("builtin/echo", assertions=[RUBRIC], judge={"model": judge})
    )
    assert (run["progress"]["passed"], run["progress"]["failed"]) == (1, 1)
    assert run["judge"] == {"model": judge}
    assert (first["passed"], first["score"]) == (False, 0.2)
    assert first["failed_assertions"] == ["llm-rubric"]
    entry = second["grading"]["assertions"][0]
    assert (entry["passed"], entry["score"]) == (True, 0.9)
    assert entry["reason"] == "looked for Say word-1"
    assert "error" not in entry
    assert entry["judge"]["model"] == judge
    assert entry["judge"]["tokens_in"] > 20
    assert entry["judge"]["tokens_out"] > 5
    assert entry["judge"]["cost"] is second["metrics"]["judge_cost"] is None
    assert second["metrics"]["cost"] == 0.0
    asked = server.last_request["messages"]
    assert server.last_request["response_format"]["json_schema"]["strict"] is True
    assert asked[0]["role"] == "system"
    assert "names word-" in asked[1]["content"]


async def test_a_threshold_counts_beside_what_the_judge_says(
    make_parts: Any, results: Any, scripted: Any
) -> None:
    parts = await make_parts(1)
    judge, _ = await scripted(judge={"reason": "well", "score": 0.6, "pass": True})
    assertions = [
        {**RUBRIC, "provider": judge, "threshold": 0.6},
        {**RUBRIC, "provider": judge, "threshold": 0.7},
        {**RUBRIC, "provider": judge, "type": "not-llm-rubric"},
    ]
    _, [result] = await results(parts.body("builtin/echo", assertions=assertions))
    met, missed, turned = result["grading"]["assertions"]
    assert (met["passed"], met["score"]) == (True, 0.6)
    assert not missed["passed"]
    assert missed["reason"] == "The score 0.6 is below the threshold 0.7. well"
    assert (turned["passed"], turned["score"]) == (False, pytest.approx(0.4))


@pytest.mark.parametrize(
    "broken",
    ["no JSON at all", '{"reason": "r", "score": 7, "pass": true}', '{"score": 1, "pass": true}'],
)
async def test_a_judge_that_breaks_the_form_twice_is_an_error_and_never_a_pass(
    make_parts: Any, results: Any, scripted: Any, broken: str
) -> None:
    parts = await make_parts(1)
    judge, server = await scripted(judge=broken)
    assertions = [RUBRIC, {**RUBRIC, "type": "not-llm-rubric", "value": "is rude"}]
    run, [result] = await results(
        parts.body("builtin/echo", assertions=assertions, judge={"model": judge})
    )
    assert run["progress"]["passed"] == 0
    for entry in result["grading"]["assertions"]:
        assert entry["error"] is True
        assert (entry["passed"], entry["score"]) == (False, 0.0)
        assert "did not answer in the form" in entry["reason"]
        assert entry["judge"]["tokens_in"] > 0
    assert server.counters.requests == 4
    again = server.last_request["messages"]
    assert again[-2] == {"role": "assistant", "content": broken}
    assert "JSON" in again[-1]["content"]


async def test_a_judge_may_mend_its_answer_once(
    make_parts: Any, results: Any, scripted: Any
) -> None:
    def judge(request: ChatRequest) -> Any:
        if len(request["messages"]) == 2:
            return "I would say yes."
        return 'After all: ```json\n{"reason": "yes", "score": 1, "pass": true}\n```'

    parts = await make_parts(1)
    name, server = await scripted(judge=judge)
    _, [result] = await results(
        parts.body("builtin/echo", assertions=[RUBRIC], judge={"model": name})
    )
    assert result["passed"]
    assert server.counters.requests == 2


async def test_a_judge_that_cannot_be_asked_is_an_error(
    make_parts: Any, results: Any, scripted: Any
) -> None:
    parts = await make_parts(1)
    judge, _ = await scripted(api_key="another")
    assertions = [{**RUBRIC, "type": "not-llm-rubric"}]
    _, [result] = await results(
        parts.body("builtin/echo", assertions=assertions, judge={"model": judge})
    )
    assert not result["passed"]
    [entry] = result["grading"]["assertions"]
    assert entry["error"] is True
    assert f"The judge {judge} failed" in entry["reason"]
    assert result["error"] is None


async def test_what_judges_cost_is_counted(
    make_parts: Any, results: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = await make_parts(2)
    verdict = {"reason": "fine", "score": 1, "pass": True}
    async with ScriptedModelServer(judge=verdict) as server:
        monkeypatch.setitem(os.environ, "OPENAI_BASE_URL", server.base_url)
        run, rows = await results(
            parts.body(
                "openai/gpt-4.1-nano-2025-04-14",
                assertions=[
                    {**RUBRIC, "metric": "a"},
                    {"type": "similar", "value": "Say {{ word }}"},
                ],
                judge={
                    "model": "openai/gpt-4o-2024-08-06",
                    "embedding": "openai/text-embedding-3-large",
                },
            )
        )
    rate = find_rate("openai", "gpt-4o-2024-08-06")
    vectors = find_rate("openai", "text-embedding-3-large")
    total = 0.0
    for row in rows:
        rubric, similar = row["grading"]["assertions"]
        assert (rubric["passed"], similar["passed"]) == (True, True)
        judge = rubric["judge"]
        assert judge["cost"] == pytest.approx(rate(Usage(judge["tokens_in"], judge["tokens_out"])))
        assert similar["judge"]["cost"] == pytest.approx(
            vectors(Usage(similar["judge"]["tokens_in"]))
        )
        assert similar["judge"]["cost"] > 0
        metrics = row["metrics"]
        assert metrics["judge_cost"] == pytest.approx(judge["cost"] + similar["judge"]["cost"])
        assert row["cost"] == pytest.approx(metrics["cost"] + metrics["judge_cost"])
        total += row["cost"]
    assert run["progress"]["cost"] == pytest.approx(total)


async def test_judges_hold_to_the_limit_of_the_run_and_wait_for_nobody(
    make_parts: Any, results: Any, scripted: Any
) -> None:
    parts = await make_parts(6)
    verdict = {"reason": "fine", "score": 1, "pass": True}
    name, server = await scripted(latency=0.01, judge=verdict)
    assertions = [
        {"type": "llm-rubric", "value": f"rule {number}", "provider": name} for number in range(4)
    ]
    for most in (1, 3):
        server.counters.reset()
        _, rows = await results(parts.body(name, assertions=assertions, concurrency=most))
        assert all(row["passed"] for row in rows)
        assert server.counters.requests == 6 * 5
        assert server.counters.most_in_flight <= most


async def test_equal_questions_about_an_answer_are_asked_once(
    make_parts: Any, results: Any, scripted: Any
) -> None:
    parts = await make_parts(1)
    judge, server = await scripted(judge=pleased_by("word"))
    assertions = [RUBRIC, {**RUBRIC, "metric": "again"}]
    _, [row] = await results(
        parts.body("builtin/echo", assertions=assertions, judge={"model": judge})
    )
    assert row["passed"]
    assert server.counters.requests == 1


async def test_a_run_without_a_judge_is_not_started(
    client: httpx2.AsyncClient, make_parts: Any
) -> None:
    parts = await make_parts(1)
    nested = {"type": "assert-set", "assert": [RUBRIC]}
    problem = await refused(client, parts.body("builtin/echo", assertions=[nested]))
    [fault] = problem["errors"]
    assert fault["place"] == "body.assertions[0].assert[0].provider"
    assert fault["message"].startswith("llm-rubric needs a judge: name a model as its provider")
    similar = {"type": "not-similar", "value": "x"}
    problem = await refused(client, parts.body("builtin/echo", assertions=[similar]))
    assert "builtin/wordllama" in problem["errors"][0]["message"]
    unknown = {**RUBRIC, "provider": {"id": "nobody/m"}}
    problem = await refused(client, parts.body("builtin/echo", assertions=[unknown]))
    assert "no provider 'nobody'" in problem["errors"][0]["message"]
    problem = await refused(
        client, parts.body("builtin/echo", judge={"model": "nobody/m", "embedding": "bedrock/m"})
    )
    assert [fault["place"] for fault in problem["errors"]] == [
        "body.judge.model",
        "body.judge.embedding",
    ]


async def test_assertions_of_datasets_and_items_need_judges_too(
    client: httpx2.AsyncClient, make_parts: Any, results: Any, scripted: Any
) -> None:
    parts = await make_parts(1, dataset={"default_assertions": [RUBRIC]})
    problem = await refused(client, parts.body("builtin/echo"))
    assert problem["errors"][0]["place"] == "the dataset's default_assertions[0].provider"
    judge, _ = await scripted(judge=pleased_by("word"))
    own = {
        "input": {"word": "word-9"},
        "assertions": [
            {"type": "assert-set", "assert": [{"type": "not-similar:dot", "value": "x"}]}
        ],
    }
    answer = await client.post(f"/api/v1/datasets/{parts.dataset_id}/items", json=own)
    assert answer.status_code == 201, answer.text
    body = parts.body("builtin/echo", assertions=[], judge={"model": judge})
    problem = await refused(client, body)
    assert problem["errors"][0]["place"] == "the items' assertions"
    assert "not-similar:dot needs a model" in problem["errors"][0]["message"]
    body["judge"]["embedding"] = judge
    run, _ = await results(body)
    assert run["progress"]["passed"] == 2


async def test_similar_asks_for_the_expected_text_once(
    make_parts: Any, results: Any, scripted: Any
) -> None:
    parts = await make_parts(5)
    name, server = await scripted()
    assertions = [{"type": "similar", "value": ["tell me", "Say it again"], "threshold": 0.3}]
    run, rows = await results(
        parts.body("builtin/echo", assertions=assertions, judge={"embedding": name}, concurrency=1)
    )
    assert run["progress"]["passed"] == 5
    assert server.counters.embedded["Say it again"] == 1
    assert server.counters.embedded["Say word-4"] == 1
    entry = rows[0]["grading"]["assertions"][0]
    assert entry["reason"].startswith('To "Say it again" the similarity is 0.')
    assert entry["judge"]["model"] == name


async def test_similar_works_offline(make_parts: Any, results: Any) -> None:
    parts = await make_parts(1, template="Your money is on its way back. {{word}}")
    model = {"provider": "builtin/wordllama"}
    assertions = [
        {"type": "similar", "value": "Your refund was sent.", "threshold": 0.25, **model},
        {"type": "not-similar", "value": "The cat sleeps.", "threshold": 0.25, **model},
    ]
    _, [row] = await results(parts.body("builtin/echo", assertions=assertions))
    assert row["passed"], row["grading"]
    assert row["metrics"]["judge_cost"] == 0.0


async def test_the_steps_of_g_eval_are_made_once_for_a_run(
    make_parts: Any, results: Any, scripted: Any
) -> None:
    forms: list[str | None] = []

    def judge(request: ChatRequest) -> Row:
        forms.append(form_of(request))
        if form_of(request) == "g_eval_steps":
            return {"steps": ["look", "count"]}
        assert "- look\n- count" in last_user_message(request)
        return {"reason": "counted", "score": 8}

    parts = await make_parts(4)
    name, _ = await scripted(judge=judge, latency=0.01)
    assertions = [{"type": "g-eval", "value": ["short", "kind"]}]
    _, rows = await results(
        parts.body("builtin/echo", assertions=assertions, judge={"model": name})
    )
    assert [row["score"] for row in rows] == [0.8] * 4
    assert forms.count("g_eval_steps") == 2
    assert forms.count("g_eval") == 8


async def test_answer_relevance_compares_questions(
    make_parts: Any, results: Any, scripted: Any
) -> None:
    parts = await make_parts(2)
    name, _ = await scripted(judge={"questions": ["Say word-0", "Say what", "  "]})
    assertions = [{"type": "answer-relevance", "threshold": 0.7}]
    judge = {"model": name, "embedding": name}
    _, [first, second] = await results(
        parts.body("builtin/echo", assertions=assertions, judge=judge)
    )
    assert (first["passed"], first["score"]) == (True, pytest.approx(0.75))
    assert (second["passed"], second["score"]) == (False, pytest.approx(0.5))
    assert "It answers: Say word-0; Say what" in first["grading"]["assertions"][0]["reason"]


async def test_stored_answers_are_judged_again_by_another_judge(
    client: httpx2.AsyncClient, make_parts: Any, results: Any, ended_run: Any, scripted: Any
) -> None:
    parts = await make_parts(1)
    kind, _ = await scripted(judge={"reason": "fine", "score": 1, "pass": True})
    strict, server = await scripted(judge={"reason": "no", "meets": False})
    run, [row] = await results(
        parts.body("builtin/echo", assertions=[RUBRIC], judge={"model": kind})
    )
    assert row["passed"]
    closed = {"type": "model-graded-closedqa", "value": "short"}
    answer = await client.post(
        f"/api/v1/eval-runs/{run['id']}/rescore",
        json={"assertions": [closed], "judge": {"model": strict}},
    )
    assert answer.status_code == 202, answer.text
    again = await ended_run(answer.json()["id"])
    [row] = (await client.get(f"/api/v1/eval-runs/{again['id']}/results")).json()
    assert not row["passed"]
    assert row["grading"]["assertions"][0]["judge"]["model"] == strict
    assert server.counters.requests == 1
    # The judge sees what the model was asked, as when the answer was new.
    assert "Say word-0" in last_user_message(server.last_request)


async def test_a_budget_needs_judges_with_a_price(
    client: httpx2.AsyncClient, make_parts: Any, scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    parts = await make_parts(1)
    judge, _ = await scripted()
    body = parts.body("builtin/echo", assertions=[RUBRIC], max_cost=1.0, judge={"model": judge})
    problem = await refused(client, body)
    assert f"none for the judges {judge}" in problem["detail"]
    body["assertions"] = [{"type": "similar", "value": "x"}]
    body["judge"] = {"embedding": "openai/text-embedding-3-small"}
    answer = await client.post("/api/v1/eval-runs", json=body)
    assert answer.status_code == 202, answer.text


async def test_a_cell_whose_judge_has_no_price_is_counted_as_such(
    make_parts: Any, results: Any, scripted: Any
) -> None:
    parts = await make_parts(2)
    judge, _ = await scripted(judge=pleased_by("Say word-1"))
    run, rows = await results(
        parts.body("builtin/echo", assertions=[RUBRIC], judge={"model": judge})
    )
    assert [row["cost"] for row in rows] == [0.0, 0.0]
    assert run["summary"]["overall"]["cells_without_price"] == 2
