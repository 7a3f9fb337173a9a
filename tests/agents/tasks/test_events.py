"""The events of a task, over real connections; and what the feed tells of agents and tasks."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.agents.office import Clerk, Office
from tests.agents.tasks.following import follow, write
from tests.events.reading import SECONDS, bearer, following
from tests.events.served import Server, opened
from tests.events.standing import held_by_server, rest_of, standing_still

from assay.core.config import Settings
from assay.core.database import Database
from assay.identity.actor import Role, Scope

POOL = 5  # connections to the database, fewer than there are readers


@pytest.fixture
async def server(
    settings: Settings, own_database: Database, tmp_path: Path
) -> AsyncIterator[Server]:
    changes = {
        "database_url": own_database.dsn,
        "assay_home": tmp_path,
        "api_port": 0,
        "database_pool_size": POOL,
    }
    async with opened(settings.model_copy(update=changes)) as server:
        yield server


@pytest.fixture
async def house(server: Server) -> Office:
    """The people of a server that is really listened to."""
    admin = await server.installation.person(Role.admin)
    return Office(server.installation, Clerk(admin.client, admin))


async def test_events_come_while_they_happen_until_the_task_has_ended(
    server: Server, house: Office
) -> None:
    ada = await house.clerk()
    task = await ada.task()
    path = f"/tasks/{task['id']}"
    async with follow(server.url, ada, task["id"]) as reader:
        for number, text in enumerate(("One.", "Two.", "Drei, \U0001f600\n\nid: 9"), 1):
            await ada.ask("POST", f"{path}/message", 202, json={"text": text})
            await reader.until(number)
            event = reader.events[-1]
            assert event["kind"] == "message"
            told = {"role": "user", "text": text, "by": str(ada.person.id)}
            assert event["payload"] == told
        assert not reader.task.done()
        await ada.ask("POST", f"{path}/cancel", 200)
        await reader.until_over()
        assert reader.ended
        assert reader.sequences == [1, 2, 3, 4]
        assert reader.events[-1]["kind"] == "status"
        assert reader.events[-1]["payload"]["status"] == "cancelled"
    async with follow(server.url, ada, task["id"]) as again:
        await again.until_over()
        assert (again.events, again.ended) == (reader.events, True)


async def test_who_comes_back_goes_on_without_a_gap(server: Server, house: Office) -> None:
    ada = await house.clerk()
    task_id = (await ada.task())["id"]
    writing = asyncio.create_task(write_in_turns(server.database, task_id))
    seen: list[int] = []
    while not seen or seen[-1] < 1300:
        async with follow(server.url, ada, task_id, after=seen[-1] if seen else 0) as reader:
            await reader.until((seen[-1] if seen else 0) + 1)
            seen += reader.sequences
    await writing
    assert seen == list(range(1, 1301))
    async with follow(server.url, ada, task_id, after=1300) as reader:
        await write(server.database, task_id, 1)
        await reader.until(1301)
        assert reader.sequences == [1301]


async def write_in_turns(database: Database, task_id: str) -> None:
    for number in (1, 700, 99, 500):
        await write(database, task_id, number)
        await asyncio.sleep(0.02)


async def test_without_following_it_ends_with_what_is_there(server: Server, house: Office) -> None:
    ada = await house.clerk()
    task_id = (await ada.task())["id"]
    await write(server.database, task_id, 1001)
    async with follow(server.url, ada, task_id, after=1, follow=False) as reader:
        await reader.until_over()
        assert reader.sequences == list(range(2, 1002))
        assert not reader.ended
    async with follow(server.url, ada, task_id, after=5000, follow=False) as reader:
        await reader.until_over()
        assert reader.sequences == []
    path = f"/tasks/{task_id}/events"
    for wrong in ("-1", "abc", str(2**31)):
        problem = await ada.ask("GET", path, 422, headers={"Last-Event-ID": wrong})
        assert problem["errors"][0]["place"] == "header.last-event-id"
    assert (await ada.client.get(f"/api/v1{path}", params={"follow": "often"})).status_code == 422


async def test_a_server_that_stops_ends_the_streams(server: Server, house: Office) -> None:
    ada = await house.clerk()
    task_id = (await ada.task())["id"]
    await write(server.database, task_id, 1)
    async with follow(server.url, ada, task_id) as reader:
        await reader.until(1)
        signal.raise_signal(signal.SIGTERM)
        await reader.until_over()
        assert not reader.ended, "the task has not"
        await asyncio.wait_for(asyncio.shield(server.task), SECONDS)


async def test_who_does_not_read_is_cut_off_and_comes_back_without_a_gap(
    server: Server, house: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await house.clerk()
    task_id = (await ada.task())["id"]
    path, number = f"/api/v1/tasks/{task_id}/events", 3000
    last = await write(server.database, task_id, number, pad="x" * 500)
    with monkeypatch.context() as impatient:
        impatient.setattr("assay.core.server_sent.PATIENCE_SECONDS", 0.2)
        async with standing_still(server.url, path, bearer(ada.client)) as slow:
            async with asyncio.timeout(SECONDS):
                while held_by_server(slow):
                    await asyncio.sleep(0.02)
            received = await rest_of(slow)
    assert not received.endswith(b"0\r\n\r\n"), "cut off, not ended"
    # What came in half is not taken, as a browser does not.
    whole = received.rpartition(b"\n\n")[0]
    seen = [int(each) for each in re.findall(rb"^id: (\d+)$", whole, re.MULTILINE)]
    assert len(seen) < number
    after = seen[-1] if seen else 0
    assert seen == list(range(1, after + 1))
    async with follow(server.url, ada, task_id, after=after) as back:
        await back.until(last)
        assert back.sequences == list(range(after + 1, last + 1))


async def test_more_readers_than_connections_look_again_at_what_they_may_see(
    server: Server, house: Office
) -> None:
    ada = await house.clerk()
    project_id = await house.project(editor=ada)
    task_id = (await ada.task(project_id=project_id))["id"]
    async with AsyncExitStack() as stack:
        readers = []
        for _ in range(3 * POOL):
            bob = await house.clerk(Role.viewer)
            await house.installation.share(house.admin.person, project_id, bob.person, Role.viewer)
            readers.append(await stack.enter_async_context(follow(server.url, bob, task_id)))
        for turn in (1, 2, 3):
            # Whenever somebody's rights change, everybody looks again.
            await house.clerk()
            await write(server.database, task_id, 1)
            for reader in readers:
                await reader.until(turn)


async def test_who_may_not_see_the_task_any_more_is_told_nothing_more(
    server: Server, house: Office
) -> None:
    ada, bob = await house.clerk(), await house.clerk(Role.viewer)
    project_id = await house.project(editor=ada, viewer=bob)
    task_id = (await ada.task(project_id=project_id))["id"]
    key = Clerk(await server.installation.with_key(ada.person, Scope.agents_read), ada.person)
    [key_id] = await ada.ids("/keys")
    async with (
        follow(server.url, ada, task_id) as of_ada,
        follow(server.url, bob, task_id) as of_bob,
        follow(server.url, key, task_id) as of_key,
    ):
        await write(server.database, task_id, 1)
        for reader in (of_ada, of_bob, of_key):
            await reader.until(1)
        await house.admin.ask("DELETE", f"/projects/{project_id}/members/{bob.person.id}", 204)
        await ada.ask("DELETE", f"/keys/{key_id}", 204)
        await bob.ask("GET", f"/tasks/{task_id}", 404)
        await write(server.database, task_id, 1)
        await of_ada.until(2)
        for reader in (of_bob, of_key):
            await reader.until_over()
            assert (reader.sequences, reader.ended) == ([1], False)


async def test_the_feed_tells_those_who_see_them_of_agents_and_tasks(
    server: Server, house: Office
) -> None:
    ada, bob, eve = await house.clerk(), await house.clerk(Role.viewer), await house.clerk()
    project_id = await house.project(editor=ada, viewer=bob)
    topics = {"topics": "agents,tasks"}
    async with (
        following(server.url, bearer(ada.client), **topics) as of_ada,
        following(server.url, bearer(bob.client), **topics) as of_bob,
        following(server.url, bearer(eve.client), **topics) as of_eve,
        following(server.url, bearer(house.admin.client), **topics) as of_admin,
    ):
        agent = await ada.agent(project_id=project_id)
        task = await ada.start(agent)
        await ada.ask("POST", f"/tasks/{task['id']}/cancel", 200)
        shared = [
            "agent.created",
            "task.created",
            "agent.status",
            "task.started",
            "agent.status",
            "task.cancelled",
        ]
        own = await ada.agent()
        await ada.ask("PATCH", f"/agents/{own['id']}", 200, json={"name": "New"})
        await ada.ask("DELETE", f"/agents/{own['id']}", 204)
        alone = ["agent.created", "agent.updated", "agent.deleted"]
        last = await house.admin.agent(project_id=await house.project(viewer=eve, editor=bob))
        for reader in (of_bob, of_eve, of_admin):
            while not any(event["data"].get("id") == last["id"] for event in reader.events):
                await reader.until(events=len(reader.events) + 1)
        await of_ada.until(events=len(shared + alone))
        assert of_ada.types == [*shared, *alone]
        assert of_admin.types == [*shared, *alone, "agent.created"]
        assert of_bob.types == [*shared, "agent.created"]
        assert of_eve.types == ["agent.created"]
        started = next(event for event in of_bob.events if event["type"] == "task.started")
        assert started["topic"] == "tasks"
        assert started["data"].items() >= {"id": task["id"], "status": "running"}.items()
        at_work = next(event for event in of_bob.events if event["type"] == "agent.status")
        assert at_work["data"] == {"id": agent["id"], "status": "working"}
