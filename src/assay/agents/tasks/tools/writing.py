"""The tools that change files: one after another, in the order of the model."""

import asyncio
import re
from typing import Annotated

from pydantic import Field
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.tools import RunContext

from assay.agents.sandboxes.providers.types import Command
from assay.agents.tasks.tools.desk import Desk
from assay.agents.tasks.tools.patching import is_anchored, is_diff, recounted, refusal
from assay.agents.tasks.tools.paths import absolute, inside, read
from assay.agents.tasks.tools.replacing import replaced

Content = Annotated[str, Field(max_length=2_000_000)]
_GIT = re.compile(r"(^|/)\.git(/|$)")


async def write_file(ctx: RunContext[Desk], path: str, content: Content) -> str:
    """Write a whole file: a new one, or in place of what is there. To change a part, use edit_file.

    Args:
        ctx: the run.
        path: The file, relative to the repository; folders are made as needed.
        content: All of its text.
    """
    place = _writable(path)
    await _write(ctx.deps, place, content)
    return f"wrote {place}: {len(content.splitlines()):,} lines"


async def edit_file(
    ctx: RunContext[Desk],
    path: str,
    old: Annotated[str, Field(min_length=1, max_length=2_000_000)],
    new: Content,
    *,
    replace_all: bool = False,
) -> str:
    """Replace a text in a file by another. The text must be there exactly once, to the last space.

    Args:
        ctx: the run.
        path: The file, relative to the repository.
        old: The text as it stands in the file, without line numbers, with enough around it to be
            the only one.
        new: What comes in its place.
        replace_all: Replace it wherever it is.
    """
    place = _writable(path)
    if old == new:
        raise ToolFailed("the old and the new text are the same")
    content = (await read(ctx.deps.sandbox, place)).decode("utf-8", "surrogateescape")
    if "\r\n" in content and "\r\n" not in old:
        old, new = old.replace("\n", "\r\n"), new.replace("\n", "\r\n")
    # Long files take long to compare.
    changed, times = await asyncio.to_thread(replaced, content, old, new, everywhere=replace_all)
    await _write(ctx.deps, place, changed)
    return f"changed {place}" + (f" in {times} places" if times > 1 else "")


async def apply_patch(ctx: RunContext[Desk], patch: Content) -> str:
    """Change files by a unified diff, as `git diff` writes it; all of it is applied, or nothing.

    Each file begins with `--- a/path` and `+++ b/path` (`/dev/null` for one that is made or
    deleted), each change with `@@ -line,count +line,count @@` and has lines around it that stay.

    Args:
        ctx: the run.
        patch: The diff.
    """
    if not is_diff(patch):
        raise ToolFailed(
            "this is no unified diff: there is no line as `@@ -12,7 +12,8 @@` below `--- a/path` "
            "and `+++ b/path`; edit_file needs no line numbers"
        )
    code, output = await _apply(ctx.deps, patch)
    if code != 0:
        patch = recounted(patch)
        # Without lines that stay behind a change git wants it at the end of the file.
        options = ("--unidiff-zero",) if is_anchored(patch) else ()
        code, output = await _apply(ctx.deps, patch, *options)
    if code != 0:
        raise ToolFailed(refusal(patch, output))
    applied = re.findall(r"^Applied patch (?:to )?'?(.+?)'? cleanly", output, re.MULTILINE)
    return f"changed {', '.join(applied) or 'nothing'}"


def _writable(path: str) -> str:
    place = inside(path)
    if place == ".":
        raise ToolFailed("name a file, relative to the repository, as src/main.py")
    if _GIT.search(place):
        raise ToolFailed(f"{place} is git's own; use git by run_command")
    return place


async def _apply(desk: Desk, patch: str, *options: str) -> tuple[int, str]:
    text = patch if patch.endswith("\n") else f"{patch}\n"
    script = 'cd "$(git rev-parse --show-toplevel 2>/dev/null || pwd)" && git apply "$@"'
    arguments = ("bash", "-c", script, "bash", "-v", "--whitespace=nowarn", *options, "-")
    ran = await desk.sandbox.run(Command(arguments, stdin=_encoded(text)))
    return ran.exit_code, ran.output.decode("utf-8", "replace")


async def _write(desk: Desk, place: str, content: str) -> None:
    await desk.sandbox.write_file(absolute(place), _encoded(content))


def _encoded(text: str) -> bytes:
    """The text as bytes; those of a file that are not UTF-8 come back as they were."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ToolFailed("the text has half of a surrogate pair, which no file can hold") from None
