"""The model server for load, in its own process."""

import asyncio
import time

import aiohttp

from assay.testing.scripted_process import run_load_server


async def _ask(client: aiohttp.ClientSession, base_url: str, text: str) -> str:
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    async with client.post(f"{base_url}/chat/completions", json=body) as response:
        assert response.status == 200
        answer = await response.json()
    assert answer["usage"]["total_tokens"] == 2 * len(text.split())
    return str(answer["choices"][0]["message"]["content"])


async def test_it_echoes_after_its_latency_and_counts() -> None:
    with run_load_server(latency=0.2) as server:
        async with aiohttp.ClientSession() as client:
            start = time.monotonic()
            texts = [f"message {number}" for number in range(20)]
            answers = await asyncio.gather(*(_ask(client, server.base_url, text) for text in texts))
            assert time.monotonic() - start >= 0.2
            assert answers == texts
            stats = await asyncio.to_thread(server.stats)
            assert stats == {"requests": 20, "in_flight": 0, "most_in_flight": 20}
            await asyncio.to_thread(server.reset)
            assert await _ask(client, server.base_url, "ä" * 100_000) == "ä" * 100_000
        stats = await asyncio.to_thread(server.stats)
        assert stats == {"requests": 1, "in_flight": 0, "most_in_flight": 1}
