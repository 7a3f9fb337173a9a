"""Long-polling: the answer comes with the decision, and waiting costs next to nothing."""

import asyncio
import threading
import time

from sqlalchemy import text
from tests.consults.asking import YES, Asker
from tests.identity.people import Installation, Person, installed

from assay.core.waiters import Waiters
from assay.identity.actor import Role


async def test_the_answer_comes_with_the_decision(asker: Asker, reviewers: list[Asker]) -> None:
    request = await asker.ask()
    waiting = asyncio.create_task(asker.read(request, wait=30))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await reviewers[0].answer(request, YES)
    assert (await asyncio.wait_for(waiting, 5))["response"] == YES
    # What is decided is not waited for.
    assert (await asyncio.wait_for(asker.read(request, wait=30), 5))["status"] == "answered"


async def test_a_cancel_ends_the_wait_and_a_comment_does_not(asker: Asker) -> None:
    request = await asker.ask()
    waiting = asyncio.create_task(asker.read(request, wait=30))
    await asker.call("POST", f"/requests/{request['id']}/comments", 201, {"text": "?"})
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await asker.do(request, "cancel")
    assert (await asyncio.wait_for(waiting, 5))["status"] == "cancelled"


async def test_after_the_time_the_request_comes_as_it_is(asker: Asker) -> None:
    request = await asker.ask()
    began = time.monotonic()
    assert (await asker.read(request, wait=0.3))["status"] == "pending"
    assert time.monotonic() - began >= 0.3
    await asker.read(request, 422, wait=61)
    await asker.read(request, 422, wait=-1)


async def test_a_second_server_hears_of_the_decision(
    asker: Asker, reviewers: list[Asker], installation: Installation
) -> None:
    settings = installation.app.state.settings
    async with installed(settings) as twin:
        token = asker.client.headers["Authorization"]
        there = await twin.client(Authorization=token)
        request = await asker.ask()
        path = f"/api/v1/requests/{request['id']}?wait=30"
        waiting = asyncio.create_task(there.get(path))
        await asyncio.sleep(0.2)
        await reviewers[0].answer(request, YES)
        answered = await asyncio.wait_for(waiting, 5)
        assert answered.json()["status"] == "answered"


async def test_a_thousand_wait_without_a_connection_or_a_thread_each(
    installation: Installation, admin: Person, reviewers: list[Asker]
) -> None:
    boss = Asker(admin)
    requests = [await boss.ask() for _ in range(10)]
    ended: Waiters = installation.app.state.ended_requests
    pool = installation.database.engine.pool

    async def wait(number: int) -> dict[str, str]:
        row: dict[str, str] = await boss.read(requests[number % 10], wait=60)
        return row

    threads = threading.active_count()
    waiting = [asyncio.create_task(wait(number)) for number in range(1000)]
    async with asyncio.timeout(60):
        # Each reads once, and then holds nothing any more.
        while ended.waiting < 1000 or pool.checkedout():  # type: ignore[attr-defined]  # of a queue
            await asyncio.sleep(0.05)
    assert ended.waiting == 1000
    assert threading.active_count() <= threads + 5
    async with installation.database.session() as session:
        connections = await session.scalar(
            text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        )
    assert connections is not None
    assert connections < 40
    for request in requests:
        await reviewers[0].answer(request, YES)
    async with asyncio.timeout(60):
        rows = await asyncio.gather(*waiting)
    assert {row["status"] for row in rows} == {"answered"}
    assert ended.waiting == 0


async def test_who_hangs_up_waits_no_longer(asker: Asker, installation: Installation) -> None:
    request = await asker.ask()
    ended: Waiters = installation.app.state.ended_requests
    hung_up = asyncio.Event()

    async def receive() -> dict[str, object]:
        if hung_up.is_set():
            return {"type": "http.disconnect"}
        hung_up.set()
        return {"type": "http.request", "body": b"", "more_body": False}

    sent: list[object] = []

    async def send(message: object) -> None:
        sent.append(message)

    path = f"/api/v1/requests/{request['id']}"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"wait=30",
        "headers": [
            (b"host", b"localhost"),
            (b"authorization", asker.client.headers["Authorization"].encode()),
        ],
        "client": ("127.0.0.1", 50000),
        "server": ("localhost", 80),
    }
    async with asyncio.timeout(5):
        await installation.app(scope, receive, send)
    assert ended.waiting == 0


async def test_a_server_that_stops_lets_all_go(asker: Asker, installation: Installation) -> None:
    settings = installation.app.state.settings
    async with installed(settings) as twin:
        there = await twin.client(Authorization=asker.client.headers["Authorization"])
        request = await asker.ask()
        path = f"/api/v1/requests/{request['id']}?wait=60"
        waiting = asyncio.create_task(there.get(path))
        ended: Waiters = twin.app.state.ended_requests
        async with asyncio.timeout(5):
            while not ended.waiting:
                await asyncio.sleep(0.01)
            ended.close()
            assert (await waiting).json()["status"] == "pending"
            assert (await there.get(path)).json()["status"] == "pending"


async def test_a_role_taken_away_meanwhile_hides_the_answer(
    installation: Installation, admin: Person, asker: Asker, reviewers: list[Asker]
) -> None:
    request = await asker.ask(assignees=[reviewers[0].id])
    waiting = asyncio.create_task(
        reviewers[0].client.get(f"/api/v1/requests/{request['id']}?wait=30")
    )
    await asyncio.sleep(0.2)
    await asker.do(request, "assign", assignee_role=Role.admin)
    await Asker(admin).answer(request, YES)
    async with asyncio.timeout(5):
        assert (await waiting).status_code == 404
