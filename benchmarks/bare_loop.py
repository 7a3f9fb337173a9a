"""The least that a run could cost: ask, look at the answer, store it; nothing more."""

import asyncio
import uuid

import aiohttp
import orjson
from jinja2.sandbox import ImmutableSandboxedEnvironment
from sqlalchemy import Boolean, Column, MetaData, String, Table, Text, Uuid, insert
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

FLUSH_SECONDS = 0.2
_results = Table(
    "bare_results",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("model", String(255)),
    Column("output", Text),
    Column("passed", Boolean),
)


async def bare_loop(dsn: str, base_url: str, cells: int, in_flight: int, template: str) -> None:
    """Ask `cells` questions with `in_flight` at a time and store the answers in PostgreSQL."""
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_results.metadata.drop_all)
            await connection.run_sync(_results.metadata.create_all)
        await _ask_all(engine, base_url, cells, in_flight, template)
    finally:
        await engine.dispose()


async def _ask_all(
    engine: AsyncEngine, base_url: str, cells: int, in_flight: int, template: str
) -> None:
    compiled = ImmutableSandboxedEnvironment().from_string(template)
    numbers = iter(range(cells))
    rows: list[dict[str, object]] = []

    async def work(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            text = compiled.render(word=f"w{number}", message=f"message number {number}")
            body = orjson.dumps(
                {"model": "scripted", "messages": [{"role": "user", "content": text}]}
            )
            async with session.post(f"{base_url}/chat/completions", data=body) as response:
                answer = orjson.loads(await response.read())
            output = answer["choices"][0]["message"]["content"]
            rows.append(
                {
                    "id": uuid.uuid4(),
                    "model": "scripted",
                    "output": output,
                    "passed": f"w{number}" in output,
                }
            )

    async def store() -> None:
        batch = rows.copy()
        rows.clear()
        if batch:
            async with engine.begin() as connection:
                await connection.execute(insert(_results), batch)

    async def keep_storing() -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await store()

    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        writer = asyncio.create_task(keep_storing())
        await asyncio.gather(*(work(session) for _ in range(in_flight)))
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        await store()
