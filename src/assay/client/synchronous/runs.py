# Written by `make client` from assay/client/asynchronous/runs.py: change that.

"""Evaluation runs and their results."""

from collections.abc import Callable, Iterator, Sequence
from typing import Unpack
from uuid import uuid4

from assay.client.options import AnyModel, ResultFilters, RunFilters, RunOptions
from assay.client.synchronous.resource import Resource
from assay.client.synchronous.waiting import until_ended
from assay.client.wire import Call, Id, at, post
from assay.playground.runs.comparison.schemas import RunComparison
from assay.playground.runs.results.schemas import EvalResultRead, RunSummary
from assay.playground.runs.schemas import EvalRunRead, EvalRunResume

FIRST_LOOK_SECONDS = 0.1
LAST_LOOK_SECONDS = 3.0


class Runs(Resource):
    """`client.runs`."""

    def start(
        self,
        prompt_version_id: Id,
        dataset_id: Id,
        models: Sequence[AnyModel],
        *,
        idempotency_key: str | None = None,
        **options: Unpack[RunOptions],
    ) -> EvalRunRead:
        """Start a run: every item of a dataset asked of every model, graded and stored.

        Args:
            prompt_version_id: the version of a prompt.
            dataset_id: the dataset.
            models: each `provider/model`, or with parameters as `{"model": …, "parameters": …}`.
            idempotency_key: with the same key a start that is made again, also by a program that
                was started again, gives the run of the first time; without it, a new one.
            options: beside these.
        """
        body = {
            "prompt_version_id": prompt_version_id,
            "dataset_id": dataset_id,
            "models": [{"model": each} if isinstance(each, str) else each for each in models],
            **options,
        }
        key = idempotency_key or str(uuid4())
        call = post(at("eval-runs"), body, Idempotency_Key=key)
        return self._transport.read(EvalRunRead, call)

    def list(
        self, *, limit: int | None = None, **filters: Unpack[RunFilters]
    ) -> Iterator[EvalRunRead]:
        """All runs that fit, newest first; `limit` is how many a request brings."""
        return self._transport.pages(EvalRunRead, at("eval-runs"), limit=limit, **filters)

    def get(self, run_id: Id) -> EvalRunRead:
        """Read a run with its progress, and its summary once it has ended."""
        return self._transport.read(EvalRunRead, Call("GET", at("eval-runs", run_id)))

    def cancel(self, run_id: Id) -> EvalRunRead:
        """Stop a run; what is stored stays, and it can be resumed."""
        return self._transport.read(EvalRunRead, post(at("eval-runs", run_id, "cancel")))

    def resume(self, run_id: Id, budget: EvalRunResume | None = None) -> EvalRunRead:
        """Go on with a canceled or failed run; `budget` is its limit in USD from now on."""
        call = post(at("eval-runs", run_id, "resume"), budget)
        return self._transport.read(EvalRunRead, call)

    def summary(self, run_id: Id) -> RunSummary:
        """Read what came out of a run so far, over all and for each model."""
        call = Call("GET", at("eval-runs", run_id, "summary"))
        return self._transport.read(RunSummary, call)

    def results(
        self, run_id: Id, *, limit: int | None = None, **filters: Unpack[ResultFilters]
    ) -> Iterator[EvalResultRead]:
        """All results that fit, by default in the order of the dataset's items."""
        path = at("eval-runs", run_id, "results")
        return self._transport.pages(EvalResultRead, path, limit=limit, **filters)

    def compare(
        self, *run_ids: Id, models: Sequence[str] = (), shown: int | None = None
    ) -> RunComparison:
        """Compare runs on the same dataset with the first of them, paired on its items.

        Args:
            run_ids: 2 to 10 of them.
            models: those that are compared, `first=other` to pair two.
            shown: how many items that got better, and worse, are named.
        """
        params = {"ids": ",".join(map(str, run_ids)), "model": [*models], "shown": shown}
        call = Call("GET", at("eval-runs", "compare"), params)
        return self._transport.read(RunComparison, call)

    def wait(
        self,
        run_id: Id,
        *,
        timeout: float | None = None,  # its end is told with how far the run is
        on_progress: Callable[[EvalRunRead], object] | None = None,
    ) -> EvalRunRead:
        """Wait until a run has ended, and give it; also while the server is away for a while.

        Args:
            run_id: the run.
            timeout: seconds; without it, for as long as it takes.
            on_progress: called with the run whenever it has been looked at.

        Raises:
            TimedOut: it goes on for longer.
        """

        def told(run: EvalRunRead) -> str:
            return f"the run has {run.progress.completed} of {run.progress.total} cells"

        def look(_seconds_left: float) -> EvalRunRead:
            run = self.get(run_id)
            if on_progress:
                on_progress(run)
            return run

        return until_ended(
            look,
            lambda run: not run.status.is_active,
            pauses=_pauses(),
            timeout=timeout,
            told=told,
        )


def _pauses() -> Iterator[float]:
    """A run that has begun is looked at often, and one that takes long every few seconds."""
    seconds = FIRST_LOOK_SECONDS
    while True:
        yield seconds
        seconds = min(seconds * 1.5, LAST_LOOK_SECONDS)
