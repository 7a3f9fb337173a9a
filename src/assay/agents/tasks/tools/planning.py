"""The tools for the work itself: the plan, questions to people, and the end."""

from typing import Annotated

from pydantic import BaseModel, Field
from pydantic_ai.exceptions import CallDeferred, ModelRetry
from pydantic_ai.tools import RunContext

from assay.agents.tasks.tools.desk import Desk, PlanStep


async def update_plan(
    ctx: RunContext[Desk], steps: Annotated[list[PlanStep], Field(min_length=1, max_length=50)]
) -> str:
    """Write down the plan: all of its steps, each with its status. People see it.

    Args:
        ctx: the run.
        steps: The whole plan; it takes the place of the one before.
    """
    await ctx.deps.planned(steps)
    done = sum(step.status == "completed" for step in steps)
    return f"noted: {done} of {len(steps)} steps are completed"


Choice = Annotated[str, Field(min_length=1, max_length=255)]


async def ask_human(
    ctx: RunContext[Desk],
    question: Annotated[str, Field(min_length=1, max_length=4000)],
    options: Annotated[list[Choice], Field(max_length=10)] | None = None,
) -> str:
    """Ask a person, and wait for the answer, which can take long.

    Only for what you cannot find out by yourself and must not decide: a choice that the task
    leaves open and that is hard to undo, or something that only people have.

    Args:
        ctx: the run.
        question: The question, with all that is needed to answer it.
        options: Answers to choose from, if there are such.
    """
    if options and len(set(options)) < len(options):
        raise ModelRetry("each option must be another")
    # The answer comes by `Desk.decisions`, and then this is not called.
    raise CallDeferred({"question": question, "options": options or []}, kind="question")


class Finished(BaseModel):
    """End the task: it is done, or it cannot be done. Your changes are committed and published."""

    summary: str = Field(
        min_length=1,
        max_length=20_000,
        description="What you did and why, for somebody who reviews it; and what is left open",
    )
    done: bool = Field(
        default=True,
        description="False where the task cannot be done: then nothing is published",
    )
    tested: str = Field(
        min_length=1,
        max_length=4000,
        description="What you ran to test it and what came out; or why nothing could be tested",
    )
