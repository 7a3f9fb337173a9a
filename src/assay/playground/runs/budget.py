"""The budget of a run: what it may cost, and what it has cost."""

from assay.playground.runs.models import EvalRun


class Budget:
    """What one worker knows of a run's money.

    A run with a budget is in the hands of one worker at a time, so what was stored when that
    worker took it up and what its own cells have cost since is all there is.

    Attributes:
        limit: USD; `None` where there is none. It can be raised while the run stands still.
    """

    __slots__ = ("_spent", "limit")

    def __init__(self, limit: float | None, spent: float) -> None:
        """Take the limit in USD, if there is one, and what is spent already."""
        self.limit = limit
        self._spent = spent

    def spend(self, cost: float | None) -> None:
        """A cell has cost so much; `None` is not known and counts as nothing."""
        self._spent += cost or 0.0

    @property
    def reached(self) -> bool:
        """Whether no more cells may begin."""
        return self.limit is not None and self._spent >= self.limit


def used_up(run: EvalRun) -> bool:
    """Whether a run has spent its budget, as far as is stored."""
    return run.max_cost is not None and run.cost >= run.max_cost


def budget_message(run: EvalRun) -> str:
    """Why a run has stopped, for its `error_message`."""
    return (
        f"The budget of {run.max_cost:g} USD is reached: {run.cost:.6g} USD are spent. Resume the "
        "run with a higher max_cost to go on."
    )
