"""Tasks over HTTP: making, changing, starting, cancelling, deleting them."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update
from tests.agents.office import MODEL, REPOSITORY, Clerk, Office

from assay.agents.tasks.models import Task, TaskCall, TaskMessage, TaskStatus
from assay.jobs.models import Job, JobStatus

SECRET = "hunter2"  # what must not be kept


async def end(office: Office, task_id: str, **fields: Any) -> None:
    """Bring a task to where a worker would have brought it, with nothing left to be done."""
    async with office.database.session() as session:
        await session.execute(update(Task).where(Task.id == UUID(task_id)).values(**fields))
        await session.execute(
            update(Job).where(Job.parent_id == UUID(task_id)).values(status=JobStatus.completed)
        )


async def test_a_task_has_what_it_was_given_and_defaults_for_the_rest(clerk: Clerk) -> None:
    bare = await clerk.ask("POST", "/tasks", 201, json={"title": "Mend it"})
    assert (bare["status"], bare["priority"], bare["step"]) == ("pending", "medium", "prepare")
    assert (bare["cost"], bare["tokens"], bare["steps"]) == (0, 0, 0)
    empty = ("description", "repo_url", "base_branch", "git_branch", "started_at", "completed_at")
    assert {bare[name] for name in empty} == {None}
    agent = await clerk.agent()
    given = {
        "title": "Mend it",
        "description": "It is broken.",
        "priority": "urgent",
        "assigned_agent_id": agent["id"],
        "repo_url": REPOSITORY,
        "base_branch": "develop",
    }
    made = await clerk.ask("POST", "/tasks", 201, json=given)
    assert made.items() >= given.items()
    assert await clerk.ask("GET", f"/tasks/{made['id']}", 200) == made


@pytest.mark.parametrize(
    ("fields", "place", "told"),
    [
        ({"title": ""}, "body.title", "at least 1"),
        ({"title": "x" * 501}, "body.title", "up to 500"),
        ({"title": None}, "body.title", "valid string"),
        ({"description": "a\0b"}, "body.description", "U+0000"),
        ({"priority": "asap"}, "body.priority", "'urgent'"),
        ({"assigned_agent_id": "ada"}, "body.assigned_agent_id", "UUID"),
        ({"base_branch": "no such..name"}, "body.base_branch", "not the name of a branch"),
        ({"base_branch": "--upload-pack=x"}, "body.base_branch", "begins with a letter or digit"),
        ({"repo_url": "shop"}, "body.repo_url", "such as https://github.com/owner/name"),
        ({"repo_url": "git@github.com:a/b.git"}, "body.repo_url", "https://github.com/a/b"),
        ({"repo_url": "file:///srv/git/shop"}, "body.repo_url", "GIT_LOCAL_REMOTES"),
        ({"repo_url": "/srv/git/shop"}, "body.repo_url", "GIT_LOCAL_REMOTES"),
        ({"repo_url": "https://127.0.0.1/a/b"}, "body.repo_url", "GIT_ALLOWED_NETWORKS"),
        ({"status": "completed"}, "body.status", "not permitted"),
    ],
)
async def test_what_is_wrong_with_a_task_is_said_where_it_is(
    clerk: Clerk, fields: dict[str, Any], place: str, told: str
) -> None:
    faults = await clerk.faults("POST", "/tasks", {"title": "New", **fields})
    assert list(faults) == [place]
    assert told in faults[place]
    task = await clerk.task()
    assert told in (await clerk.faults("PATCH", f"/tasks/{task['id']}", fields))[place]
    assert await clerk.ask("GET", f"/tasks/{task['id']}", 200) == task


@pytest.mark.parametrize(
    "url",
    [
        f"https://ada:{SECRET}@github.com/a/b",
        f"https://{SECRET}@github.com/a/b",
        f"https://:{SECRET}@github.com/a/b",
        f"https://ada:{SECRET}@github.com:port/a/b",
        f"https://ada:{SECRET}#x@github.com/a/b",
        f"https:/ada:{SECRET}@github.com/a/b",
        f"ssh://ada:{SECRET}@github.com/a/b",
        f"ada:{SECRET}@github.com:a/b",
        f"https://github.com/a/b?token={SECRET}",
        f"https://ada:{SECRET}@127.0.0.1/a/b",
    ],
)
async def test_a_password_in_an_address_is_neither_kept_nor_said(
    office: Office, clerk: Clerk, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    task, agent = await clerk.task(), await clerk.agent()
    new = {"title": "New", "repo_url": url}
    for method, path in (
        ("POST", "/tasks"),
        ("PATCH", f"/tasks/{task['id']}"),
        ("POST", f"/agents/{agent['id']}/start-task"),
    ):
        problem = await clerk.ask(method, path, 422, json=new)
        assert problem["errors"][0]["place"] in ("body.repo_url", "task.repo_url")
        assert SECRET not in str(problem)
    assert SECRET not in await office.installation.stored()
    assert SECRET not in caplog.text


async def test_only_what_is_sent_is_changed_and_where_it_begins_only_before(
    clerk: Clerk, office: Office
) -> None:
    task, agent = await clerk.task(description="It is broken."), await clerk.agent()
    path = f"/tasks/{task['id']}"
    changes = {"title": "Mend all", "description": None, "assigned_agent_id": agent["id"]}
    changed = await clerk.ask("PATCH", path, 200, json=changes)
    assert changed == {**task, **changes, "updated_at": changed["updated_at"]}
    await clerk.start(agent, task_id=task["id"])
    beginning = {
        "assigned_agent_id": None,
        "repo_url": "https://github.com/example/other",
        "base_branch": "develop",
    }
    for name, value in beginning.items():
        problem = await clerk.ask("PATCH", path, 409, json={name: value, "priority": "low"})
        assert problem["code"] == "task_active"
        assert [fault["place"] for fault in problem["errors"]] == [f"body.{name}"]
    shown = await clerk.ask("PATCH", path, 200, json={"priority": "high"})
    assert (shown["priority"], shown["repo_url"]) == ("high", REPOSITORY)
    await end(office, task["id"], status=TaskStatus.failed)
    assert (await clerk.ask("PATCH", path, 200, json=beginning)).items() >= beginning.items()
    await end(office, task["id"], status=TaskStatus.completed)
    await clerk.ask("PATCH", path, 409, json=beginning)


async def test_lists_come_in_pages_newest_first_and_through_filters(clerk: Clerk) -> None:
    agent = await clerk.agent()
    tasks = [await clerk.task(title=f"Task {number}") for number in range(4)]
    urgent = await clerk.task(priority="urgent", assigned_agent_id=agent["id"])
    begun = await clerk.start(agent)
    newest = [begun["id"], urgent["id"], *(task["id"] for task in reversed(tasks))]
    assert await clerk.pages("/tasks", 4) == [newest[:4], newest[4:]]
    assert await clerk.ids("/tasks", status="running") == [begun["id"]]
    assert await clerk.pages("/tasks", 3, status="pending") == [newest[1:4], newest[4:]]
    assert await clerk.ids("/tasks", priority="urgent") == [urgent["id"]]
    assert await clerk.ids("/tasks", agent_id=agent["id"]) == newest[:2]
    assert await clerk.ids("/tasks", agent_id=agent["id"], status="pending") == [urgent["id"]]
    assert await clerk.ids("/tasks", agent_id=str(uuid4())) == []
    for name, value in (("status", "done"), ("priority", "1"), ("agent_id", "ada")):
        problem = await clerk.ask("GET", "/tasks", 422, params={name: value})
        assert problem["errors"][0]["place"] == f"query.{name}"


async def test_a_new_task_is_begun(clerk: Clerk, office: Office) -> None:
    agent = await clerk.agent()
    task = await clerk.start(agent, title="Grüße & more", description="Now.", priority="high")
    assert (task["status"], task["step"], task["priority"]) == ("running", "prepare", "high")
    assert task["assigned_agent_id"] == agent["id"]
    digits = task["id"].replace("-", "")[-8:]
    assert task["git_branch"] == f"assay/{digits}-grue-more"
    assert task["started_at"]
    owner = str(clerk.person.id)
    assert await office.trail(task["id"]) == [(owner, "task.created"), (owner, "task.started")]


async def test_what_keeps_a_task_from_being_begun_is_told_at_once(clerk: Clerk) -> None:
    agent, blank = await clerk.agent(), await clerk.agent(model=None)
    task = await clerk.task(repo_url=None)
    problem = await clerk.start(blank, 422, task_id=task["id"])
    assert problem["code"] == "not_startable"
    assert {fault["place"]: fault["message"] for fault in problem["errors"]} == {
        "agent.model": "the agent has none yet: set one, provider/model",
        "task.repo_url": "the task has none: set the repository",
    }
    for model, told in (
        ("nobody/gpt", "nobody"),
        ("openai/gpt-6-luna", "OPENAI_API_KEY"),
        ("builtin/nothing", "echo"),
    ):
        other = await clerk.agent(model=model)
        problem = await clerk.start(other, 422)
        assert problem["errors"][0]["place"] == "agent.model"
        assert told in problem["errors"][0]["message"]
    away = await clerk.agent(provider="e2b")
    unusable = await clerk.start(away, 503)
    assert unusable["code"] == "sandbox_unusable"
    assert "E2B_API_KEY" in unusable["detail"]
    left = await clerk.ids("/tasks")
    assert left == [task["id"]], "what could not be begun was not kept"

    body = {"title": "New", "task_id": task["id"]}
    faults = await clerk.faults("POST", f"/agents/{agent['id']}/start-task", body)
    assert list(faults) == ["body.task_id"]
    faults = await clerk.faults("POST", f"/agents/{agent['id']}/start-task", {})
    assert list(faults) == ["body.title", "body.repo_url"]
    await clerk.start(agent, 404, task_id=str(uuid4()))
    await clerk.ask("POST", f"/agents/{uuid4()}/start-task", 404, json={"task_id": task["id"]})


async def test_a_task_is_begun_once(clerk: Clerk, office: Office) -> None:
    agent = await clerk.agent()
    task = await clerk.start(agent)
    for status in (TaskStatus.running, TaskStatus.waiting, TaskStatus.completed):
        await end(office, task["id"], status=status)
        problem = await clerk.start(agent, 409, task_id=task["id"])
        assert problem["code"] == "task_started"
        assert status in problem["detail"]


async def test_started_many_times_at_once_it_is_begun_once(clerk: Clerk, office: Office) -> None:
    agents = [await clerk.agent(), await clerk.agent()]
    task = await clerk.task()
    starts = [f"/api/v1/agents/{agent['id']}/start-task" for agent in agents] * 4
    body = {"task_id": task["id"]}
    answers = await asyncio.gather(*(clerk.client.post(path, json=body) for path in starts))
    assert sorted(answer.status_code for answer in answers) == [202, *[409] * 7]
    [begun] = [answer.json() for answer in answers if answer.status_code == 202]
    shown = [await clerk.ask("GET", f"/agents/{agent['id']}", 200) for agent in agents]
    at_it = {each["id"] for each in shown if each["current_task_id"] == task["id"]}
    assert at_it == {begun["assigned_agent_id"]}
    async with office.database.reading() as session:
        of_task = Job.parent_id == UUID(task["id"])
        assert await session.scalar(select(func.count()).select_from(Job).where(of_task)) == 1


async def test_whatever_happens_at_the_same_moment_happens_in_some_order(clerk: Clerk) -> None:
    for _ in range(5):
        agent = await clerk.agent()
        task = await clerk.task(assigned_agent_id=agent["id"])
        of_agent, of_task = f"/api/v1/agents/{agent['id']}", f"/api/v1/tasks/{task['id']}"
        started, cancelled, changed, renamed, deleted = await asyncio.gather(
            clerk.client.post(f"{of_agent}/start-task", json={"task_id": task["id"]}),
            clerk.client.post(f"{of_task}/cancel"),
            clerk.client.patch(of_task, json={"priority": "high"}),
            clerk.client.patch(of_agent, json={"name": "New"}),
            clerk.client.delete(of_agent),
        )
        assert started.status_code in (202, 404, 409), started.text
        assert (cancelled.status_code, changed.status_code) == (200, 200)
        assert renamed.status_code in (200, 404), renamed.text
        assert deleted.status_code in (204, 409), deleted.text
        left = await clerk.ask("GET", of_task.removeprefix("/api/v1"), 200)
        gone = deleted.status_code == 204
        assert left["priority"] == "high"
        assert left["assigned_agent_id"] == (None if gone else agent["id"])
        if not gone:
            shown = await clerk.ask("GET", of_agent.removeprefix("/api/v1"), 200)
            running = left["status"] == "running"
            assert shown["status"] == ("working" if running else "idle")
            assert shown["current_task_id"] == (task["id"] if running else None)


async def test_a_task_that_failed_begins_anew(clerk: Clerk, office: Office) -> None:
    first, second = await clerk.agent(), await clerk.agent()
    task = await clerk.start(first)
    # As a worker leaves it: with a conversation, its last try being cleared away.
    await clerk.ask("POST", f"/tasks/{task['id']}/message", 202, json={"text": "Hurry"})
    await clerk.ask("POST", f"/tasks/{task['id']}/cancel", 200)
    problem = await clerk.start(second, 409, task_id=task["id"])
    assert problem["code"] == "task_clearing"
    async with office.database.session() as session:
        task_id = UUID(task["id"])
        session.add(TaskMessage(task_id=task_id, position=0, message={}))
        session.add(TaskCall(task_id=task_id, call_id="1", tool="read_file", result={}))
    used = {"cost": 1.5, "tokens_in": 7, "steps": 3, "seconds": 9.0}
    gone = {"base_sha": "a" * 40, "pushed_sha": "b" * 40, "summary": "Did it", "diff": "+1"}
    await end(office, task["id"], status=TaskStatus.failed, error="It broke", **used, **gone)

    before = await clerk.client.get(f"/api/v1/tasks/{task['id']}/events")
    again = await clerk.start(second, task_id=task["id"])
    assert (again["status"], again["step"], again["error"]) == ("running", "prepare", None)
    assert again["assigned_agent_id"] == second["id"]
    assert (again["cost"], again["tokens_in"], again["steps"]) == (1.5, 7, 0)
    assert {again[name] for name in (*gone, "completed_at") if name != "diff"} == {None}
    diff = await clerk.ask("GET", f"/tasks/{task['id']}/diff", 200)
    assert diff == {"base_sha": None, "diff": "", "live": False}
    after = await clerk.client.get(f"/api/v1/tasks/{task['id']}/events", params={"follow": False})
    assert before.text.replace("event: end\ndata: {}\n\n", "") in after.text
    async with office.database.reading() as session:
        for left in (TaskMessage, TaskCall):
            query = select(func.count()).select_from(left).where(left.task_id == task_id)
            assert await session.scalar(query) == 0
        row = await session.get_one(Task, task_id)
        assert row.read_sequence == row.last_sequence - 1


async def test_ended_tasks_take_no_words_and_no_cancel(clerk: Clerk, office: Office) -> None:
    task = await clerk.task()
    path = f"/tasks/{task['id']}"
    said = await clerk.ask("POST", f"{path}/message", 202, json={"text": "Mind the tests."})
    assert said["status"] == "pending"
    for text, told in (("", "at least 1"), ("x" * 20_001, "up to 20,000"), ("\0", "U+0000")):
        faults = await clerk.faults("POST", f"{path}/message", {"text": text})
        assert told in faults["body.text"]
    cancelled = await clerk.ask("POST", f"{path}/cancel", 200)
    assert cancelled["status"] == "cancelled"
    assert cancelled["completed_at"]
    for action, body in (("cancel", None), ("message", {"text": "Hurry"})):
        problem = await clerk.ask("POST", f"{path}/{action}", 409, json=body)
        assert problem["code"] == "task_ended"
        assert "cancelled" in problem["detail"]
    owner = str(clerk.person.id)
    assert await office.trail(task["id"]) == [
        (owner, "task.created"),
        (owner, "task.message"),
        (owner, "task.cancelled"),
    ]


@settings(derandomize=True, database=None, deadline=None, max_examples=60)
@given(text=st.text(min_size=1, max_size=80))
@example(text="id: 9\n\nevent: end\ndata: {}\n\n")
@example(text="\r\n\u2028\ufeff\U0001f600")
async def test_any_text_is_kept_to_the_letter_or_refused_where_it_stands(
    office: Office, text: str
) -> None:
    client = office.admin.client
    made = await client.post("/api/v1/tasks", json={"title": text, "description": text})
    if made.status_code == 422:
        faults = made.json()["errors"]
        assert {fault["place"] for fault in faults} <= {"body.title", "body.description"}
        assert "\0" in text or not text.strip(), text
        return
    task = made.json()
    assert (task["title"], task["description"]) == (text, text)
    path = f"/api/v1/tasks/{task['id']}"
    assert (await client.post(f"{path}/message", json={"text": text})).status_code == 202
    stream = await client.get(f"{path}/events", params={"follow": False})
    block, _, rest = stream.content.partition(b"\nid: 1\ndata: ")[2].partition(b"\n\n")
    assert rest == b""
    assert orjson.loads(block)["payload"]["text"] == text


async def test_one_under_way_is_not_deleted(clerk: Clerk) -> None:
    agent = await clerk.agent()
    for task in (await clerk.task(), await clerk.start(agent)):
        path = f"/tasks/{task['id']}"
        if task["status"] == "running":
            assert (await clerk.ask("DELETE", path, 409))["code"] == "task_active"
            await clerk.ask("POST", f"{path}/cancel", 200)
        await clerk.ask("DELETE", path, 204)
        for of_it in ("", "/events", "/diff", "/git-operations"):
            await clerk.ask("GET", f"{path}{of_it}", 404)
    assert await clerk.ids("/tasks") == []
    assert (await clerk.ask("GET", f"/agents/{agent['id']}", 200))["model"] == MODEL
