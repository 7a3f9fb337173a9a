import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from assay.testing.script import Call, Turn, form_of, last_user_message
from assay.testing.scripted_model import ScriptedModelServer


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "scripted", "messages": [{"role": "user", "content": text}], **more}


async def answer(
    client: aiohttp.ClientSession, server: ScriptedModelServer, body: dict[str, Any]
) -> tuple[int, Any]:
    async with client.post(f"{server.base_url}/chat/completions", json=body) as response:
        return response.status, await response.json()


async def test_it_echoes_and_counts_words(client: aiohttp.ClientSession) -> None:
    async with ScriptedModelServer() as server:
        status, body = await answer(client, server, chat("hello there you"))
    assert status == 200
    assert body["choices"][0]["message"] == {"role": "assistant", "content": "hello there you"}
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}


async def test_answers_come_in_order_and_then_the_answer(client: aiohttp.ClientSession) -> None:
    async with ScriptedModelServer(
        answers=["one", "two"], answer=lambda request: request["model"].upper()
    ) as server:
        texts = [
            (await answer(client, server, chat("x")))[1]["choices"][0]["message"]["content"]
            for _ in range(3)
        ]
    assert texts == ["one", "two", "SCRIPTED"]


async def test_log_probabilities_come_where_they_are_asked_for(
    client: aiohttp.ClientSession,
) -> None:
    async with ScriptedModelServer(logprobs=lambda _: [-0.5, -1.5]) as server:
        _, without = await answer(client, server, chat("x"))
        _, body = await answer(client, server, chat("x", logprobs=True))
    assert "logprobs" not in without["choices"][0]
    tokens = body["choices"][0]["logprobs"]["content"]
    assert [token["logprob"] for token in tokens] == [-0.5, -1.5]


async def test_it_counts_what_it_sees(client: aiohttp.ClientSession) -> None:
    async with ScriptedModelServer(latency=0.05, rate_500=0.5, seed=3) as server:
        statuses = [
            status
            for status, _ in await asyncio.gather(
                *(answer(client, server, chat(f"m{number % 4}")) for number in range(12))
            )
        ]
        counters = server.counters
        assert counters.requests == 12
        assert 2 <= counters.most_in_flight <= 12
        assert counters.in_flight == 0
        assert counters.statuses == {"200": statuses.count(200), "500": statuses.count(500)}
        assert counters.asked == {f"m{number}": 3 for number in range(4)}
        async with client.get(f"{server.base_url.removesuffix('/v1')}/stats") as response:
            assert (await response.json())["asked"] == counters.asked
        async with client.post(f"{server.base_url.removesuffix('/v1')}/stats/reset") as response:
            assert (await response.json())["requests"] == 0
        assert not counters.asked


async def test_the_rates_of_failure_are_kept_and_repeat_with_the_seed(
    client: aiohttp.ClientSession,
) -> None:
    async def outcomes() -> dict[str, int]:
        async with ScriptedModelServer(rate_429=0.2, rate_500=0.3, seed=7) as server:
            for _ in range(200):
                await answer(client, server, chat("x"))
            return dict(server.counters.statuses)

    first = await outcomes()
    assert first["429"] == pytest.approx(40, abs=15)
    assert first["500"] == pytest.approx(60, abs=20)
    assert await outcomes() == first


async def test_a_429_carries_retry_after(client: aiohttp.ClientSession) -> None:
    async with (
        ScriptedModelServer(rate_429=1, retry_after=1.5) as server,
        client.post(f"{server.base_url}/chat/completions", json=chat("x")) as response,
    ):
        assert response.status == 429
        assert response.headers["Retry-After"] == "1.5"


async def test_broken_connections_come_in_both_kinds(client: aiohttp.ClientSession) -> None:
    errors = set()
    async with ScriptedModelServer(rate_broken=1) as server:
        for _ in range(4):
            try:
                await answer(client, server, chat("x"))
            except aiohttp.ClientError as error:
                errors.add(type(error))
        assert server.counters.statuses == {"broken": 4}
    assert errors == {aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError}


async def test_a_client_that_hangs_up_is_no_longer_in_flight(
    client: aiohttp.ClientSession,
) -> None:
    async with ScriptedModelServer(latency=30) as server:
        task = asyncio.create_task(answer(client, server, chat("x")))
        async with asyncio.timeout(5):
            while not server.counters.in_flight:
                await asyncio.sleep(0.01)
            task.cancel()
            while server.counters.in_flight:
                await asyncio.sleep(0.01)
        assert server.counters.most_in_flight == 1


async def test_the_stream_ends_with_tokens_if_asked_for(client: aiohttp.ClientSession) -> None:
    async with ScriptedModelServer(answer="one two three") as server:
        body = chat("x", stream=True, stream_options={"include_usage": True})
        async with client.post(f"{server.base_url}/chat/completions", json=body) as response:
            lines = (await response.text()).split("\n\n")
    assert lines[-2] == "data: [DONE]"
    assert '"completion_tokens":3' in lines[-3]
    assert sum('"content":"' in line for line in lines) == 4  # an empty one opens


async def test_only_listed_models_and_the_right_key_are_let_in(
    client: aiohttp.ClientSession,
) -> None:
    async with ScriptedModelServer(models=["small"], api_key="right") as server:
        assert (await answer(client, server, chat("x")))[0] == 401
        client.headers["Authorization"] = "Bearer right"
        status, body = await answer(client, server, chat("x"))
        assert (status, body["error"]["code"]) == (404, "model_not_found")
        assert (await answer(client, server, chat("x") | {"model": "small"}))[0] == 200
        async with client.get(f"{server.base_url}/models") as response:
            assert [model["id"] for model in (await response.json())["data"]] == ["small"]


def test_rates_beyond_one_are_refused() -> None:
    with pytest.raises(ValueError, match="add up to at most 1"):
        ScriptedModelServer(rate_429=0.6, rate_500=0.6)


async def test_it_plays_judges_where_structured_output_is_asked_for(
    client: aiohttp.ClientSession,
) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": {}}}
    for judge, expected in (
        ({"pass": True}, '{"pass": true}'),
        (lambda request: [form_of(request)], '["verdict"]'),
        ("no JSON", "no JSON"),
    ):
        async with ScriptedModelServer(judge=judge, answers=["plain"]) as server:
            _, judged = await answer(client, server, chat("x", response_format=form))
            _, plain = await answer(client, server, chat("x"))
        assert judged["choices"][0]["message"]["content"] == expected
        assert plain["choices"][0]["message"]["content"] == "plain"


async def test_it_makes_embeddings(client: aiohttp.ClientSession) -> None:
    async with ScriptedModelServer() as server:
        url = f"{server.base_url}/embeddings"
        bodies = []
        for texts in ("one text", ["one text", "text one", "another", ""]):
            async with client.post(url, json={"model": "m", "input": texts}) as response:
                bodies.append(await response.json())
        assert server.counters.requests == 2
        assert server.counters.embedded["one text"] == 2
        single, several = bodies
        vectors = [entry["embedding"] for entry in several["data"]]
        assert single["data"][0]["embedding"] == vectors[0] == vectors[1] != vectors[2]
        assert [entry["index"] for entry in several["data"]] == [0, 1, 2, 3]
        assert several["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
        assert sum(number * number for number in vectors[0]) == pytest.approx(1)
        assert not any(vectors[3])


async def test_it_plays_turns_by_how_many_answers_there_are(client: aiohttp.ClientSession) -> None:
    turns: Any = [
        Turn("I look.", [Call("look", {"at": 1}), Call("look", "as it is", "own")]),
        lambda request: Turn(f"so: {last_user_message(request)}"),
    ]
    async with ScriptedModelServer(turns=turns) as server:
        asked = chat("where?")
        for _ in range(2):  # the same question gets the same turn
            _, body = await answer(client, server, asked)
        choice = body["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        assert choice["message"]["content"] == "I look."
        first, second = choice["message"]["tool_calls"]
        assert first["function"] == {"name": "look", "arguments": '{"at":1}'}
        assert second["function"]["arguments"] == "as it is"
        assert second["id"] == "own" != first["id"]
        asked["messages"].append(choice["message"])
        _, body = await answer(client, server, asked)
        assert body["choices"][0]["message"]["content"] == "so: where?"
        asked["messages"].append(body["choices"][0]["message"])
        _, body = await answer(client, server, asked)
        assert "one more" in body["choices"][0]["message"]["content"]


async def test_conversations_are_told_apart_by_a_text(client: aiohttp.ClientSession) -> None:
    turns = {"task 1;": [Turn("first")], "task 2;": [Turn("second")]}
    async with ScriptedModelServer(turns=turns) as server:
        texts = []
        for text in ("do task 2; now", "do task 1; now", "neither"):
            _, body = await answer(client, server, chat(text))
            texts.append(body["choices"][0]["message"]["content"])
    assert texts == ["second", "first", "neither"]
