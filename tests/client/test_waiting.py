"""Waiting while the server goes away and comes back."""

import asyncio

import pytest
from tests.client.conftest import Connect
from tests.client.door import door_to
from tests.client.test_resources import parts_of
from tests.events.served import Server

from assay.client import AsyncClient, ServerUnavailable
from assay.identity.actor import Role, Scope
from assay.playground.runs.models import RunStatus
from assay.playground.runs.schemas import EvalRunRead


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("asynchronous", "synchronous"):
        monkeypatch.setattr(f"assay.client.{kind}.waiting.AWAY_SECONDS", 0.05)


async def test_a_server_that_goes_away_is_waited_for(
    connect: Connect, quiet: AsyncClient, guarded: Server
) -> None:
    admin = await guarded.installation.person(Role.admin)
    key = await guarded.installation.key(admin, Scope.playground_read)
    run = await quiet.runs.start(*await parts_of(quiet), ["builtin/echo"])
    looked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def seen(_run: EvalRunRead) -> None:
        loop.call_soon_threadsafe(looked.set)

    async with door_to(guarded.url) as door:
        client = connect(door.url, api_key=key, retries=0)
        waiting = asyncio.create_task(client.runs.wait(run.id, timeout=60, on_progress=seen))
        await looked.wait()
        await door.shut()
        await asyncio.sleep(0.3)
        await quiet.runs.cancel(run.id)
        assert not waiting.done()
        await door.open()
        assert (await waiting).status is RunStatus.canceled


async def test_one_that_was_never_there_is_not(connect: Connect, guarded: Server) -> None:
    async with door_to(guarded.url) as door:
        await door.shut()
        with pytest.raises(ServerUnavailable):
            await connect(door.url, retries=0).runs.wait("01", timeout=60)
        await door.open()
