"""Prompts and datasets to run, made over HTTP; models scripted on loopback."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from assay.testing.scripted_model import ScriptedModelServer

TEMPLATE = "Say {{word}}"


@dataclass(frozen=True)
class Parts:
    """What a run is made of."""

    version_id: str
    dataset_id: str
    item_ids: list[str]

    def body(self, *models: str, **more: Any) -> dict[str, Any]:
        """The body of `POST /eval-runs`."""
        return {
            "prompt_version_id": self.version_id,
            "dataset_id": self.dataset_id,
            "models": [{"model": model} for model in models],
            "assertions": [{"type": "contains", "value": "{{expected_output}}"}],
            **more,
        }


async def created(client: httpx2.AsyncClient, path: str, body: dict[str, Any]) -> Any:
    response = await client.post(f"/api/v1{path}", json=body)
    assert response.status_code in (200, 201, 202), response.text
    return response.json()


MakeParts = Callable[..., Awaitable[Parts]]
StartRun = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
EndedRun = Callable[[str], Awaitable[dict[str, Any]]]


@pytest.fixture
def make_parts(client: httpx2.AsyncClient) -> MakeParts:
    """A prompt version and a dataset of so many items."""

    async def make(
        items: int = 3, template: str = TEMPLATE, dataset: dict[str, Any] | None = None
    ) -> Parts:
        project = await created(client, "/projects", {"name": "Runs"})
        use_case = await created(client, f"/projects/{project['id']}/use-cases", {"name": "Say"})
        prompt = await created(client, f"/use-cases/{use_case['id']}/prompts", {"name": "Say"})
        version = await created(
            client,
            f"/prompts/{prompt['id']}/versions",
            {"type": "text", "template_text": template},
        )
        made = await created(
            client, f"/use-cases/{use_case['id']}/datasets", {"name": "Words", **(dataset or {})}
        )
        ids: list[str] = []
        for start in range(0, items, 1000):
            batch = [
                {"input": {"word": f"word-{number}"}, "expected_output": f"word-{number}"}
                for number in range(start, min(start + 1000, items))
            ]
            answer = await created(client, f"/datasets/{made['id']}/items", {"items": batch})
            ids += [item["id"] for item in answer]
        return Parts(version["id"], made["id"], ids)

    return make


@pytest.fixture
def start_run(client: httpx2.AsyncClient) -> StartRun:
    """`POST /eval-runs`."""

    async def start(body: dict[str, Any]) -> dict[str, Any]:
        run: dict[str, Any] = await created(client, "/eval-runs", body)
        return run

    return start


@pytest.fixture
def ended_run(client: httpx2.AsyncClient) -> EndedRun:
    """The run once it has ended."""

    async def wait(run_id: str, seconds: float = 60) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            while True:
                run: dict[str, Any] = (await client.get(f"/api/v1/eval-runs/{run_id}")).json()
                if run["status"] not in ("pending", "running"):
                    return run
                await asyncio.sleep(0.03)

    return wait


Scripted = Callable[..., Awaitable[tuple[str, ScriptedModelServer]]]

# Gateways keep what they know of a model, so each test takes another one. All have a price.
PRICED = iter(
    f"gpt-{name}"
    for name in (
        *("4o", "4o-mini", "4.1", "4.1-mini", "4.1-nano", "4o-mini-2024-07-18", "5", "5-mini"),
        *("5-nano", "4o-2024-11-20", "4.1-2025-04-14", "4.1-mini-2025-04-14", "4-turbo"),
    )
)


@pytest.fixture
async def scripted(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scripted]:
    """Starts a scripted model server under a provider name of its own."""
    async with AsyncExitStack() as stack:

        async def start(
            max_concurrency: int | None = None, **script: Any
        ) -> tuple[str, ScriptedModelServer]:
            server = await stack.enter_async_context(ScriptedModelServer(**script))
            name = f"scripted{uuid.uuid4().hex[:8]}"
            monkeypatch.setitem(os.environ, f"{name.upper()}_BASE_URL", server.base_url)
            if max_concurrency is not None:
                monkeypatch.setitem(
                    os.environ, f"{name.upper()}_MAX_CONCURRENCY", str(max_concurrency)
                )
            return f"{name}/model", server

        yield start


@pytest.fixture
async def priced(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scripted]:
    """Starts a scripted model server under the name of a model with a price."""
    async with AsyncExitStack() as stack:

        async def start(**script: Any) -> tuple[str, ScriptedModelServer]:
            server = await stack.enter_async_context(ScriptedModelServer(**script))
            monkeypatch.setitem(os.environ, "OPENAI_BASE_URL", server.base_url)
            return f"openai/{next(PRICED)}", server

        yield start
