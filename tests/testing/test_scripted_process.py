import asyncio

import aiohttp
import pytest

from assay.testing.scripted_process import run_scripted_server


async def _ask(base_url: str, text: str) -> int:
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{base_url}/chat/completions", json=body) as response,
    ):
        return response.status


async def test_a_process_of_its_own_serves_and_counts() -> None:
    with run_scripted_server(latency=0.01, rate_429=1.0, retry_after=2) as server:
        assert await _ask(server.base_url, "hello") == 429
        stats = await asyncio.to_thread(server.stats)
        assert stats["statuses"] == {"429": 1}
        assert stats["asked"] == {"hello": 1}
        await asyncio.to_thread(server.reset)
        assert (await asyncio.to_thread(server.stats))["requests"] == 0


async def test_it_need_not_remember() -> None:
    with run_scripted_server(no_remember=True) as server:
        assert await _ask(server.base_url, "hello") == 200
        stats = await asyncio.to_thread(server.stats)
        assert (stats["requests"], stats["asked"]) == (1, {})


def test_options_it_does_not_know_are_an_error() -> None:
    with (
        pytest.raises(RuntimeError, match="did not start"),
        run_scripted_server(tempo=3),
    ):
        pass
