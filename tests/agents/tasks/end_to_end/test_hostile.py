"""Tasks whose model, or whose repository, means harm: the host does not notice."""

import re
from pathlib import Path

import pytest
from tests.agents.git.repositories import Origin, git
from tests.agents.tasks.end_to_end.board import Board, call, finish, opened

from assay.core.config import Settings
from assay.core.database import Database
from assay.testing.script import Turn
from assay.testing.scripted_model import ScriptedModelServer

# Each would leave the mark if git, or anything else, did its bidding outside of the sandbox.
PLANTS = {
    "hooks": """
        for hook in pre-commit post-commit pre-push post-checkout reference-transaction; do
            printf '#!/bin/sh\\ntouch MARK\\n' > .git/hooks/$hook; chmod +x .git/hooks/$hook
        done""",
    "configuration": """
        git config core.fsmonitor 'touch MARK'; git config core.sshCommand 'touch MARK'
        git config core.hooksPath /work/evil; git config core.pager 'touch MARK'
        git config diff.external 'touch MARK'; git config gpg.program 'touch MARK'
        git config commit.gpgSign true; git config uploadpack.packObjectsHook 'touch MARK'""",
    "filters": """
        git config filter.evil.clean 'touch MARK; cat'; git config diff.evil.textconv 'touch MARK'
        printf '* filter=evil diff=evil\\n' > .gitattributes""",
    "submodule": """
        printf '[submodule "x"]\\n\\tpath = x\\n\\turl = ext::sh -c touch%% MARK\\n' > .gitmodules
        git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),x""",
    "links": "ln -s MARK link; ln -s /etc etc; ln -s ../../../../../.. up",
    "alternates": "mkdir -p .git/objects/info; echo /etc > .git/objects/info/alternates",
    "include": "printf '[include]\\n\\tpath = MARK\\n' >> .git/config",
}


@pytest.mark.parametrize("plant", PLANTS)
async def test_what_is_planted_in_the_clone_never_acts_on_the_host(
    board: Board, model: ScriptedModelServer, origin: Origin, tmp_path: Path, plant: str
) -> None:
    mark = tmp_path / "mark"
    model.turns = [
        call("run_command", command=PLANTS[plant].replace("MARK", str(mark))),
        call("write_file", path="made.txt", content="made"),
        finish(),
    ]
    task = await board.until(await board.start(origin.url))
    assert task["status"] == "completed", task["error"]
    assert git("show", f"{task['git_branch']}:made.txt", at=origin.path) == "made"
    assert not mark.exists()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("rm -rf .git", "git"),
        ("rm -rf .git; ln -s /etc .git", "git"),
        ("git checkout -q --orphan other; git commit -q -m new", "history was rewritten"),
    ],
)
async def test_a_clone_that_is_broken_ends_in_a_clear_error_or_is_mended_by_the_model(
    board: Board, model: ScriptedModelServer, origin: Origin, damage: str, told: str
) -> None:
    model.turns = [call("run_command", command=damage), finish(), *[finish()] * 3]
    task_id = await board.start(origin.url)
    task = await board.until(task_id)
    assert task["status"] == "failed"
    operations = await board.operations(task_id)
    assert operations[-1]["operation_type"] == "commit"
    assert told in operations[-1]["error_message"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (":(){ :|:& };:; sleep 1; echo survived", "processes|fork: retry"),
        ("trap '' TERM INT HUP; while :; do sleep 1; done", "after 2 s"),
        ("head -c 200M /dev/zero > big", "disk"),
        ("python3 -c 'x = bytearray(10**9); print(len(x))'", "memory"),
        ("yes 0123456789", "left out"),
    ],
)
async def test_a_command_that_takes_too_much_is_stopped_and_the_task_goes_on(
    settings: Settings,
    own_database: Database,
    tmp_path: Path,
    model: ScriptedModelServer,
    origin: Origin,
    command: str,
    told: str,
) -> None:
    def remember(request: dict[str, object]) -> Turn:
        results.append(str(request["messages"][-1]["content"]))  # type: ignore[index]
        return call("run_command", command="rm -f big; echo fine > made.txt")

    results: list[str] = []
    model.turns = [call("run_command", command=command, seconds=2), remember, finish()]
    limits = {
        "sandbox_processes": 48,
        "sandbox_disk_bytes": 64 * 1024**2,
        "sandbox_memory_bytes": 256 * 1024**2,
    }
    async with opened(settings, own_database, tmp_path, **limits) as board:
        task = await board.until(await board.start(origin.url))
    assert task["status"] == "completed", task["error"]
    assert git("show", f"{task['git_branch']}:made.txt", at=origin.path) == "fine"
    assert re.search(told, results[0]), results[0]
