"""What happens while a model works, on its way to those who follow the task."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from assay.agents.agents.policy import ApprovalPolicy
from assay.agents.sandboxes.providers.types import Sandbox
from assay.agents.tasks.events.models import TaskEventKind
from assay.agents.tasks.journal import Event, Journal
from assay.agents.tasks.storable import storable
from assay.agents.tasks.tools.desk import CallResult, Decision, Desk, Json, PlanStep

# Pieces of output that come within this time go out together.
GATHER_SECONDS = 0.3


class LiveDesk:
    """The desk of a task whose calls and output are written into its journal."""

    def __init__(self, journal: Journal) -> None:
        """Write into `journal`."""
        self._journal = journal
        self._pieces: dict[str, list[str]] = {}
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def opened(
        self,
        sandbox: Sandbox,
        policy: ApprovalPolicy,
        stored: Mapping[str, CallResult],
        decisions: Mapping[str, Decision],
    ) -> AsyncIterator[Desk]:
        """The desk; what it hears is written down within moments while the context is open."""
        teller = asyncio.create_task(self._keep_telling())
        try:
            yield Desk(
                sandbox=sandbox,
                policy=policy,
                stored=stored,
                decisions=decisions,
                begun=self._begun,
                output=self._output,
                done=self._done,
                planned=self._planned,
            )
        finally:
            teller.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await teller

    async def _begun(self, call_id: str, tool: str, arguments: Json) -> None:
        told = {"call_id": call_id, "tool": tool, "arguments": arguments}
        await self._journal.write((TaskEventKind.tool_call, told))

    async def _output(self, call_id: str, text: str) -> None:
        self._pieces.setdefault(call_id, []).append(text)

    async def _done(self, call_id: str, tool: str, result: CallResult) -> None:
        await self._tell()
        await self._journal.keep_result(call_id, tool, result)

    async def _planned(self, steps: list[PlanStep]) -> None:
        plan = [step.model_dump(mode="json") for step in steps]
        await self._journal.write((TaskEventKind.status, {"plan": plan}), plan=storable(plan))

    async def _keep_telling(self) -> None:
        while True:
            await asyncio.sleep(GATHER_SECONDS)
            await self._tell()

    async def _tell(self) -> None:
        async with self._lock:
            pieces, self._pieces = self._pieces, {}
            events: list[Event] = [
                (TaskEventKind.output, {"call_id": call_id, "text": storable("".join(texts))})
                for call_id, texts in pieces.items()
            ]
            if events:
                await self._journal.write(*events)
