"""Tasks outlive their workers: real processes, really killed, at every step."""

import contextlib
import fcntl
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from tests.agents.git.repositories import git
from tests.agents.tasks.end_to_end.board import call, finish
from tests.agents.tasks.end_to_end.held_writes import HeldWrites, holding
from tests.agents.tasks.end_to_end.killing import (
    PATIENCE,
    World,
    check_whole,
    no_sandbox,
    nobody_inside,
    state_of,
    until,
    until_ended,
)

from assay.agents.git.mirrors import Mirrors
from assay.agents.git.remotes import Remote, Remotes
from assay.testing.script import Call, ChatRequest, Turn

# Each kills workers over and over.
pytestmark = pytest.mark.timeout(900)

COUNT = "echo run >>first.txt"
# The first time it does not come to its end by itself.
STUCK = f"{COUNT}; test $(wc -l <first.txt) -ge 2 || sleep 300"


@dataclass(frozen=True)
class Moment:
    """When a worker is killed.

    Attributes:
        name: of the task that is at this moment.
        write: the table and the fields of the write that never comes; or
        turn: the number of the answer of the model that never comes; or
        request: the point of the forge that a request is held at; or
        place: something else, see `_reached`.
        cut_off: the operation that nobody knows the end of.
        again: the operations that are done, and once more, for that is not known of them.
        runs: how often the first call is done.
    """

    name: str
    write: tuple[str, Mapping[str, Any]] | None = None
    turn: int | None = None
    request: str | None = None
    place: str | None = None
    cut_off: str | None = None
    again: tuple[str, ...] = ()
    runs: int = 1
    command: str = COUNT


def operation(kind: str) -> tuple[str, Mapping[str, Any]]:
    """The write that an operation is completed."""
    return "git_operations", {"operation_type": kind, "status": "completed"}


PREPARING = (
    Moment("sandbox-made", ("sandboxes", {"status": "running"})),
    Moment("clone-made", operation("clone"), cut_off="clone"),
    Moment("branch-made", operation("branch"), cut_off="branch", again=("clone",)),
    Moment("cloned", ("tasks", {"step": "work"}), again=("clone", "branch")),
)
WORKING = (
    Moment("model-asked", turn=0),
    Moment("model-answered", ("task_messages", {"position": 1})),
    Moment("call-begun", ("task_events", {"kind": "tool_call"})),
    Moment("call-running", place="command", runs=2, command=STUCK),
    Moment("call-done", ("task_calls", {"call_id": "first"}), runs=2),
    Moment("first-call-kept", turn=1),
    Moment("second-call-kept", ("task_events", {"payload": {"call_id": "third"}})),
    Moment("third-call-kept", turn=2),
    Moment("finished", ("tasks", {"step": "commit"})),
)
DELIVERING = (
    Moment("committed", place="mirror", cut_off="commit"),
    Moment("commits-taken", operation("commit"), cut_off="commit"),
    Moment("commit-written", ("tasks", {"step": "push"}), again=("commit",)),
    Moment("push-sent", request="push sent", cut_off="push"),
    Moment("push-arrived", request="push arrived", cut_off="push"),
    Moment("push-known", operation("push"), cut_off="push"),
    Moment("push-written", ("tasks", {"step": "pull_request"}), again=("push",)),
    Moment("request-sent", request="pull request asked for", cut_off="pull_request"),
    Moment("request-opened", request="pull request opened", cut_off="pull_request"),
    Moment("request-known", operation("pull_request"), cut_off="pull_request"),
    Moment("request-written", ("tasks", {"step": "done"}), again=("pull_request",)),
    Moment("done", ("tasks", {"status": "completed"})),
    Moment("cleared", ("sandboxes", {"status": "destroyed"})),
)


def script(command: str = COUNT) -> Sequence[Turn]:
    """A model that counts its first and its last call, and changes a file in between."""
    edit = {"path": "src/app.py", "old": "hello", "new": "goodbye"}
    last = {"command": "echo run >>last.txt"}
    return [
        call("run_command", "first", command=command),
        Turn(calls=[Call("edit_file", edit, "second"), Call("run_command", last, "third")]),
        finish(),
    ]


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param([*PREPARING, *WORKING], id="working"),
        pytest.param(DELIVERING, id="delivering"),
    ],
)
async def test_a_worker_killed_at_every_step(world: World, moments: Sequence[Moment]) -> None:
    tasks: dict[str, str] = {}
    async with holding(world.board.database) as writes:
        with contextlib.ExitStack() as locks:
            for moment in moments:
                turns = list(script(moment.command))
                if moment.place == "mirror":
                    turns[-1] = _locked_first(world, moment.name, locks)
                tasks[moment.name] = task_id = await world.begin(moment.name, turns)
                if moment.write is not None:
                    await writes.hold(UUID(task_id), *moment.write)
                elif moment.turn is not None:
                    world.model.held[moment.name] = moment.turn
                elif moment.request is not None:
                    world.forge.gate.held[moment.name] = moment.request
            with world.worker() as worker:
                await _until_reached(world, moments, tasks, writes)
                worker.kill()
                worker.wait()
            await until("no process is left", 5, lambda: nobody_inside(world))
        world.model.held.clear()
        await writes.release()
        world.forge.gate.opened.set()
        with world.worker():
            await until_ended(world, tasks, PATIENCE)
            await until("no sandbox is left", 20, lambda: no_sandbox(world))
    for moment in moments:
        task_id = tasks[moment.name]
        await check_whole(world, task_id, moment.name)
        await check_operations(world, task_id, moment)
        await check_calls(world, task_id, moment)


def _locked_first(world: World, name: str, locks: contextlib.ExitStack) -> Any:
    """The last turn of a model, after which nothing can be taken into the mirror."""
    mirror = Mirrors(world.home / "git", Remotes()).path(Remote(world.forge.address(name)))

    def take(_request: ChatRequest) -> Turn:
        file = locks.enter_context(mirror.with_suffix(".lock").open("r+"))
        fcntl.flock(file, fcntl.LOCK_EX)
        return finish()

    return take


async def _until_reached(
    world: World, moments: Sequence[Moment], tasks: Mapping[str, str], writes: HeldWrites
) -> None:
    missing = {moment.name for moment in moments}

    async def reached() -> bool:
        waiting = await writes.reached()
        missing.difference_update(world.forge.gate.reached, world.model.reached)
        missing.difference_update(name for name in tasks if UUID(tasks[name]) in waiting)
        for moment in moments:
            if moment.place is not None and await _is_there(world, tasks[moment.name], moment):
                missing.discard(moment.name)
        return not missing

    try:
        await until("all moments are there", PATIENCE, reached)
    except AssertionError:
        states = [await state_of(world, tasks[name]) for name in sorted(missing)]
        raise AssertionError("\n".join(f"not reached: {state}" for state in states)) from None


async def _is_there(world: World, task_id: str, moment: Moment) -> bool:
    """Whether the files of a task's sandbox show that it is at the moment."""
    rows = await world.board.ask("GET", "/sandboxes", 200, params={"task_id": task_id})
    task = await world.board.task(task_id)
    works = [world.home / "sandboxes" / row["id"] / "work" for row in rows]
    if moment.place == "command":
        return any((work / "first.txt").exists() for work in works)
    branch = f".git/refs/heads/{task['git_branch']}"
    heads = {(work / branch).read_text().strip() for work in works if (work / branch).is_file()}
    return bool(heads - {world.origin(moment.name).sha("main")})


async def check_operations(world: World, task_id: str, moment: Moment) -> None:
    """What was cut off says so, and everything was brought to its end."""
    done: dict[str, list[str]] = {}
    for row in await world.board.operations(task_id):
        done.setdefault(row["operation_type"], []).append(row["status"])
        assert (row["error_message"] is None) is (row["status"] == "completed"), moment.name
    assert list(done) == ["clone", "branch", "commit", "push", "pull_request"], moment.name
    for kind, statuses in done.items():
        again = ["completed"] if kind in moment.again else []
        cut_off = ["failed"] if kind == moment.cut_off else []
        assert statuses == [*cut_off, *again, "completed"], (moment.name, kind)


async def check_calls(world: World, task_id: str, moment: Moment) -> None:
    """No call with a result was done again, and each has one result."""
    task, origin = await world.board.task(task_id), world.origin(moment.name)
    for file, runs in (("first.txt", moment.runs), ("last.txt", 1)):
        content = git("show", f"{task['git_branch']}:{file}", at=origin.path)
        assert content.split() == ["run"] * runs, (moment.name, file)
    events = await world.board.events(task_id)
    results = Counter(
        event["payload"]["call_id"]
        for event in events
        if event["kind"] == "output" and "result" in event["payload"]
    )
    assert results == Counter(["first", "second", "third"]), moment.name
    assert task["steps"] == 3, moment.name
