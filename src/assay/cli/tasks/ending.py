"""What came of a task, for people."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from assay.agents.tasks.models import Task, TaskStatus
from assay.cli.safe_text import safe
from assay.cli.tasks.diffstat import FileChange, diffstat

_STYLES = {
    TaskStatus.completed: "bold green",
    TaskStatus.failed: "bold red",
    TaskStatus.cancelled: "bold yellow",
}
FILES_SHOWN = 30


def print_end(console: Console, task: Task) -> None:
    """Print how a task stands: status, summary, branch, commit, pull request, cost, files."""
    console.print(Text(task.status.capitalize(), style=_STYLES.get(task.status, "bold")))
    if task.error:
        _print(console, task.error, "red")
    if task.summary:
        _print(console, task.summary)
    facts = {
        "branch": task.git_branch,
        "commit": task.pushed_sha,
        "pull request": task.pull_request_url,
        "used": used(task),
    }
    width = max(map(len, facts))
    for name, value in facts.items():
        if value:
            _print(console, f"{name:{width}}  {value}")
    files = diffstat(task.diff or "")
    for line in _file_lines(files):
        _print(console, line)


def used(task: Task) -> str:
    """What a task has used so far."""
    parts = [f"${task.cost:,.4f}"] if task.cost else []
    parts.append(f"{task.tokens:,} tokens")
    parts.append(f"{task.steps:,} {'turn' if task.steps == 1 else 'turns'}")
    parts.append(f"{task.seconds:,.1f} s")
    return ", ".join(parts)


def _file_lines(files: Sequence[FileChange]) -> list[str]:
    if not files:
        return []
    shown = files[:FILES_SHOWN]
    width = max(len(safe(each.path)) for each in shown)
    lines = [f"  {safe(each.path):{width}} | {_change(each)}" for each in shown]
    if len(files) > len(shown):
        lines.append(f"  … {len(files) - len(shown):,} more files")
    added, removed = sum(each.added for each in files), sum(each.removed for each in files)
    named = "1 file" if len(files) == 1 else f"{len(files):,} files"
    return [*lines, f"  {named} changed, +{added:,} -{removed:,} lines"]


def _change(file: FileChange) -> str:
    return "binary" if file.binary else f"+{file.added} -{file.removed}"


def _print(console: Console, text: str, style: str = "") -> None:
    console.print(Text(safe(text), style=style), soft_wrap=True)
