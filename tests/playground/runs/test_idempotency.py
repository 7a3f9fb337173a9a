"""A request that is sent again makes no second run."""

import asyncio
import uuid
from typing import Any

import httpx2
import pytest

pytestmark = pytest.mark.usefixtures("worker")


async def post(
    client: httpx2.AsyncClient, body: dict[str, Any], key: str, path: str = ""
) -> httpx2.Response:
    headers = {"Idempotency-Key": key}
    return await client.post(f"/api/v1/eval-runs{path}", json=body, headers=headers)


async def test_the_same_key_and_body_give_the_same_run(
    client: httpx2.AsyncClient, make_parts: Any, ended_run: Any
) -> None:
    parts = await make_parts(2)
    body, key = parts.body("builtin/echo"), uuid.uuid4().hex
    answers = await asyncio.gather(*(post(client, body, key) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {202}
    [run_id] = {answer.json()["id"] for answer in answers}
    run = await ended_run(run_id)
    again = await post(client, {**body, "cache": "on", "repeat": 1}, key)
    assert again.json() == run, "defaults that are written out change nothing"
    listed = await client.get("/api/v1/eval-runs", params={"dataset_id": parts.dataset_id})
    assert len(listed.json()) == 1
    other = await post(client, body, uuid.uuid4().hex)
    assert other.json()["id"] != run_id


async def test_a_key_is_for_one_request(client: httpx2.AsyncClient, make_parts: Any) -> None:
    parts = await make_parts(2)
    key = uuid.uuid4().hex
    made = await post(client, parts.body("builtin/echo"), key)
    refused = await post(client, parts.body("builtin/echo", repeat=2), key)
    assert refused.status_code == 422
    assert refused.json()["code"] == "idempotency_key_reused"
    assert made.json()["id"] in refused.text
    for bad in ("", "x" * 256):
        assert (await post(client, parts.body("builtin/echo"), bad)).status_code == 422


async def test_a_refused_request_uses_no_key(client: httpx2.AsyncClient, make_parts: Any) -> None:
    parts = await make_parts(1)
    key = uuid.uuid4().hex
    assert (await post(client, parts.body("nobody/knows"), key)).status_code == 422
    assert (await post(client, parts.body("builtin/echo"), key)).status_code == 202


async def test_rescoring_happens_once_too(
    client: httpx2.AsyncClient, make_parts: Any, start_run: Any, ended_run: Any
) -> None:
    parts = await make_parts(1)
    runs = [await start_run(parts.body("builtin/echo")) for _ in range(2)]
    for run in runs:
        await ended_run(run["id"])
    key, path = uuid.uuid4().hex, f"/{runs[0]['id']}/rescore"
    answers = await asyncio.gather(*(post(client, {}, key, path) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert (await post(client, {}, key, f"/{runs[1]['id']}/rescore")).status_code == 422
    assert (await post(client, parts.body("builtin/echo"), key)).status_code == 422
