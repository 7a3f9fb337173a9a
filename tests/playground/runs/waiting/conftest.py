"""Runs that ask people, who answer over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

Row = dict[str, Any]


class Reviewer:
    """The person who is asked, and who looks how runs stand."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def call(self, method: str, path: str, status: int = 200, body: Any = None) -> Any:
        """Ask `/api/v1` + path, insist on the status, and give the body."""
        response = await self._client.request(method, f"/api/v1{path}", json=body)
        assert response.status_code == status, f"{response.status_code} {response.text}"
        return response.json() if response.content else None

    async def run(self, run_id: str) -> Row:
        found: Row = await self.call("GET", f"/eval-runs/{run_id}")
        return found

    async def until(self, run_id: str, seen: Callable[[Row], bool], seconds: float = 30) -> Row:
        """The run once it stands as wished for."""
        async with asyncio.timeout(seconds):
            while not seen(run := await self.run(run_id)):
                await asyncio.sleep(0.03)
        return run

    async def asked(self, run: Row, count: int, status: str = "pending") -> list[Row]:
        """The requests of a run, once there are so many; whole, in the order of their items."""
        await self.until(run["id"], lambda now: now["progress"]["waiting"] == count)
        return await self.requests(run, status)

    async def requests(self, run: Row, status: str) -> list[Row]:
        path = f"/requests?status={status}&limit=200"
        ids = [each["id"] for each in await self.call("GET", path)]
        whole = [await self.call("GET", f"/requests/{each}") for each in ids]
        mine = [each for each in whole if each["metadata"].get("run_id") == run["id"]]
        return sorted(mine, key=lambda each: str(each["metadata"]["item_id"]))

    async def says(self, request: Row, approved: bool, comment: str | None = None) -> None:
        body = {"value": {"approved": approved}, "comment": comment}
        await self.call("POST", f"/requests/{request['id']}/respond", 200, body)

    async def results(self, run: Row) -> list[Row]:
        found: list[Row] = await self.call("GET", f"/eval-runs/{run['id']}/results?limit=200")
        return sorted(found, key=lambda each: str(each["dataset_item_id"]))


AskedRun = Callable[..., Awaitable[Row]]


@pytest.fixture
def reviewer(client: httpx2.AsyncClient) -> Reviewer:
    return Reviewer(client)


@pytest.fixture
def asked_run(make_parts: Any, start_run: Any) -> AskedRun:
    """Starts a run on so many items whose answers people are asked about."""

    async def start(items: int = 1, model: str = "builtin/echo", **more: Any) -> Row:
        parts = await make_parts(items)
        body = {"assertions": [{"type": "human", "value": "Is it kind to {{ word }}?"}], **more}
        run: Row = await start_run(parts.body(model, **body))
        return run

    return start
