"""The tool that runs commands."""

import codecs
from typing import Annotated

from pydantic import Field
from pydantic_ai.tools import RunContext

from assay.agents.sandboxes.providers.types import Command, Ran
from assay.agents.tasks.tools.desk import Desk
from assay.agents.tasks.tools.paths import absolute, inside

OUTPUT_BYTES = 16 * 1024
"""What a model sees of a command's output."""

STREAMED_CHARACTERS = 256 * 1024
"""What people see of it while it runs."""


async def run_command(
    ctx: RunContext[Desk],
    command: Annotated[str, Field(min_length=1, max_length=20_000)],
    seconds: Annotated[float, Field(gt=0, le=600)] = 120.0,
    folder: str = ".",
) -> str:
    """Run a command with `bash -lc` and give its exit code and output.

    Each command is a new shell: a `cd` or a variable of one is gone in the next. Nobody can
    answer a prompt, so use the flags that avoid them. What is left running is stopped when the
    command ends. Long output is cut in the middle: narrow it with grep or tail.

    Args:
        ctx: the run.
        command: What to run.
        seconds: How long it may take, up to 600.
        folder: Where to run it, relative to the repository.
    """
    where = absolute(inside(folder))
    watched = _Watched(ctx)
    ran = await ctx.deps.sandbox.run(
        Command(("bash", "-lc", command), where, seconds=seconds, output_bytes=OUTPUT_BYTES),
        watched.take,
    )
    await watched.end()
    output = ran.output.decode("utf-8", "replace").rstrip()
    return f"{_ending(ran, seconds)}\n{output or '(no output)'}"


def _ending(ran: Ran, seconds: float) -> str:
    if ran.timed_out:
        how = f"stopped after {seconds:g} s, as it took too long"
    else:
        how = f"exit code {ran.exit_code}"
    if ran.limit:
        how += f"; it ran into the sandbox's limit of {ran.limit}"
    if ran.dropped_bytes:
        how += f"; {ran.dropped_bytes:,} bytes of output left out in the middle"
    return how


class _Watched:
    """Passes output on as text, up to a limit: a command may write without end."""

    def __init__(self, ctx: RunContext[Desk]) -> None:
        self._tell = ctx.deps.output
        self._call = ctx.tool_call_id or ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._room = STREAMED_CHARACTERS

    async def take(self, piece: bytes) -> None:
        if self._room > 0:
            await self._pass(self._decoder.decode(piece))

    async def end(self) -> None:
        if self._room > 0:
            await self._pass(self._decoder.decode(b"", final=True))

    async def _pass(self, text: str) -> None:
        if not text:
            return
        shown = text[: self._room]
        self._room -= len(shown)
        if self._room <= 0:
            shown += "\n[more output is not shown]\n"
        # PostgreSQL stores no NUL.
        await self._tell(self._call, shown.replace("\x00", "\ufffd"))
