from collections.abc import Awaitable, Callable
from typing import Any

from assay.agents.tasks.prompt import RULES_BYTES, first_message, instructions, survey

Put = Callable[..., Awaitable[None]]


async def test_the_task_comes_with_the_machine_and_the_rules(put: Put, sandbox: Any) -> None:
    await put({"AGENTS.md": "Use tabs.\n", "CLAUDE.md": "other\n", "sub/AGENTS.md": "Spaces.\n"})
    before = len(sandbox.commands)
    found = await survey(sandbox)
    assert len(sandbox.commands) == before + 1
    text = first_message("Fix it ", "It is broken.", found)
    assert text.startswith("The task: Fix it\n\nIt is broken.\n\nThe sandbox has: git version 2")
    assert "Python 3." in text
    assert "from its AGENTS.md:\n<rules>\nUse tabs.\n</rules>" in text
    assert "before you work there: sub/AGENTS.md." in text
    assert "other" not in text


async def test_long_rules_are_cut(put: Put, sandbox: Any) -> None:
    await put({"CLAUDE.md": "x" * (RULES_BYTES + 5)})
    text = first_message("Fix it", None, await survey(sandbox))
    assert "from its CLAUDE.md" in text
    assert text.count("x" * 100) == RULES_BYTES // 100
    assert "[cut; the file has 16,005 bytes: read the rest with read_file]" in text


async def test_a_repository_without_rules(sandbox: Any) -> None:
    text = first_message("Fix it", None, await survey(sandbox))
    assert "<rules>" not in text
    assert "git version" in text


def test_an_agents_own_instructions_stand_in_its_prompt() -> None:
    text = instructions("Ada", "reviewer", "Answer in {rhymes}.")
    assert text.startswith("You are Ada, reviewer. You work by yourself")
    assert text.endswith("Your own instructions:\nAnswer in {rhymes}.\n")
    assert "own instructions" not in instructions("Ada", "")
