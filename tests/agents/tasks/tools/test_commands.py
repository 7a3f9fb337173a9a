from collections.abc import Awaitable, Callable
from typing import Any

from assay.agents.tasks.tools.commands import STREAMED_CHARACTERS
from assay.agents.tasks.tools.desk import Desk

Use = Callable[..., Awaitable[str]]


async def test_it_gives_the_exit_code_and_both_outputs(use: Use) -> None:
    text = await use("run_command", command="echo out; echo wrong >&2; exit 3")
    assert text == "exit code 3\nout\nwrong"


async def test_it_runs_where_it_is_told(use: Use, sandbox: Any) -> None:
    (sandbox.folder / "deep").mkdir()
    assert await use("run_command", command="pwd", folder="deep") == "exit code 0\n/work/deep"
    assert "outside of the repository" in await use("run_command", command="ls", folder="../etc")


async def test_what_takes_too_long_is_stopped(use: Use) -> None:
    text = await use("run_command", command="echo begun; sleep 60", seconds=1)
    assert text == "stopped after 1 s, as it took too long\nbegun"


async def test_long_output_is_cut_in_the_middle(use: Use) -> None:
    text = await use("run_command", command="echo first; seq 100000; echo last")
    assert text.startswith("exit code 0; ")
    assert "bytes of output left out in the middle\nfirst\n" in text
    assert text.endswith("99999\n100000\nlast")
    assert len(text) < 17_000


async def test_output_is_passed_on_while_it_comes_up_to_a_limit(use: Use, desk: Desk) -> None:
    pieces: list[str] = []

    async def take(call_id: str, text: str) -> None:
        assert call_id
        pieces.append(text)

    desk.output = take
    await use("run_command", command="printf 'grün\\0'; sleep 0.2; echo later")
    assert len(pieces) > 1
    assert "".join(pieces) == "grün\ufffdlater\n"
    pieces.clear()
    await use("run_command", command="head -c 3000000 /dev/zero | tr '\\0' x")
    shown = "".join(pieces)
    assert shown.endswith("\n[more output is not shown]\n")
    assert shown.count("x") == STREAMED_CHARACTERS
