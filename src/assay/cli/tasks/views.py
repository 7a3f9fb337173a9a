"""What a view of a task is told, in the order in which it happened."""

from typing import Protocol

from assay.agents.agents.models import Agent
from assay.agents.git.models import GitOperation
from assay.agents.tasks.events.models import TaskEvent
from assay.agents.tasks.models import Task


class View(Protocol):
    """Shows a task to whoever follows it."""

    def begin(self, task: Task, agent: Agent | None) -> None:
        """Show which task it is, and who does it."""

    def event(self, event: TaskEvent) -> None:
        """Show something that happened."""

    def operation(self, operation: GitOperation) -> None:
        """Show a step with git that has come to its end."""

    def end(self, task: Task) -> None:
        """Show what came of it."""
