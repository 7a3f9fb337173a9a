from collections.abc import Awaitable, Callable

from assay.agents.tasks.tools.desk import Desk, PlanStep

Use = Callable[..., Awaitable[str]]


async def test_the_plan_is_told(use: Use, desk: Desk) -> None:
    plans: list[list[PlanStep]] = []

    async def planned(steps: list[PlanStep]) -> None:
        plans.append(steps)

    desk.planned = planned
    steps = [{"step": "look", "status": "completed"}, {"step": "do", "status": "in_progress"}]
    assert await use("update_plan", steps=steps) == "noted: 1 of 2 steps are completed"
    assert [[step.model_dump(mode="json") for step in plan] for plan in plans] == [steps]
    assert "Input should be 'pending'" in await use(
        "update_plan", steps=[{"step": "look", "status": "over"}]
    )
