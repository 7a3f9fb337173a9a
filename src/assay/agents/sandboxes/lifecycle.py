"""Sandboxes from their making to their end: a row for each, which is there before it is."""

import asyncio
import math
import time
from collections.abc import Mapping

from assay.agents.agents.models import Agent
from assay.agents.sandboxes import rows
from assay.agents.sandboxes.models import Sandbox as Row
from assay.agents.sandboxes.models import SandboxStatus
from assay.agents.sandboxes.providers.types import (
    Sandbox,
    SandboxGone,
    SandboxLimits,
    SandboxProvider,
    SandboxUnreachable,
    SandboxUnusable,
)
from assay.agents.sandboxes.service import may_destroy
from assay.agents.tasks.models import Task
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.errors import AssayError
from assay.core.ids import new_id
from assay.identity.actor import Actor
from assay.identity.sight import Sight

MAKING_SECONDS = 240.0
"""What making a sandbox may take."""

CHECKED_SECONDS = 60.0

SLACK_SECONDS = 900.0
"""What a sandbox lives longer than its agent may work: to commit, and to be looked at."""


def limits_of(settings: Settings, agent: Agent) -> SandboxLimits:
    """What a sandbox of this agent may use."""
    return SandboxLimits(
        memory_bytes=settings.sandbox_memory_bytes,
        disk_bytes=settings.sandbox_disk_bytes,
        processes=settings.sandbox_processes,
        seconds=agent.max_seconds + SLACK_SECONDS,
        network=settings.sandbox_network,
    )


class Sandboxes:
    """Makes, opens and destroys sandboxes of all kinds, and keeps their rows true.

    Sandboxes that can only be seen from one place are left to whoever is there: from elsewhere
    they count as gone.
    """

    def __init__(
        self,
        providers: Mapping[str, SandboxProvider],
        *,
        prefix: str,
        places: Mapping[str, str] | None = None,
        paused_seconds: float = 72 * 3600.0,
    ) -> None:
        """Take what makes them.

        Args:
            providers: those that there are, by their names.
            prefix: what the labels of this installation begin with.
            places: of the providers whose sandboxes are seen from one place only, which one.
            paused_seconds: how long a paused sandbox is kept.
        """
        self.providers = providers
        self.prefix = prefix
        self._places = places or {}
        self._paused_seconds = paused_seconds
        self._checked: dict[str, float] = {}

    def provider(self, name: str) -> SandboxProvider:
        """The provider of this name.

        Raises:
            SandboxUnusable: there is none.
        """
        if (found := self.providers.get(name)) is None:
            known = ", ".join(self.providers)
            raise SandboxUnusable(f"There is no provider of sandboxes {name!r}; there is {known}")
        return found

    async def check(self, name: str) -> None:
        """Make sure that sandboxes of this provider can be made; a minute ago is soon enough.

        Raises:
            SandboxUnusable, SandboxUnreachable
        """
        if time.monotonic() - self._checked.get(name, -math.inf) > CHECKED_SECONDS:
            await self.provider(name).check()
            self._checked[name] = time.monotonic()

    def place(self, provider: str) -> str | None:
        """The place that sandboxes of this provider are in, where they are bound to one."""
        return self._places.get(provider)

    def label(self, row_id: str) -> str:
        """The label of the sandbox that is made for a row."""
        return f"{self.prefix}{row_id}"

    async def make(
        self, database: Database, task: Task, agent: Agent, limits: SandboxLimits
    ) -> Sandbox:
        """A new sandbox for a task. Its row is committed before it is made.

        Raises:
            SandboxUnusable, SandboxUnreachable: as the provider says; the row says so too.
            SandboxGone: it was destroyed while it was being made.
        """
        provider = self.provider(agent.provider)
        async with database.session() as session:
            row = Row(
                id=str(new_id()),
                agent_id=agent.id,
                task_id=task.id,
                provider=provider.name,
                place=self.place(provider.name),
                repo_url=task.repo_url,
                branch_name=task.git_branch,
                expires_at=rows.in_seconds(limits.seconds),
            )
            session.add(row)
            await session.flush()
            await rows.tell(session, row)
        return await self._finish(database, row.id, provider, limits)

    async def reopen(self, database: Database, task: Task, limits: SandboxLimits) -> Sandbox:
        """The sandbox that a task has, resumed if it was paused; it lives on for `limits.seconds`.

        One that was being made when a worker died is made to its end.

        Raises:
            SandboxGone: there is none any more, or none that is seen from here; make a new one.
            SandboxUnusable, SandboxUnreachable: as the provider says.
        """
        async with database.reading() as session:
            row = await rows.newest_active(session, task.id)
        if row is None:
            raise SandboxGone(f"Task {task.id} has no sandbox")
        provider = self.provider(row.provider)
        if not self.is_here(row):
            # Whoever is there finds that nobody needs it.
            reason = "It is on another machine than the worker that took the task up"
            await self.fail(database, row.id, reason)
            raise SandboxGone(f"Sandbox {row.id} is on another machine")
        if row.status is SandboxStatus.creating:
            return await self._finish(database, row.id, provider, limits)
        try:
            sandbox = await provider.open(row.id, limits)
            # A command that a killed worker began would run beside its repetition.
            await sandbox.stop_all()
        except SandboxGone as error:
            await self.fail(database, row.id, str(error))
            raise
        async with database.session() as session:
            expires_at = rows.in_seconds(limits.seconds)
            running = SandboxStatus.running
            if not await rows.change(session, row.id, running, expires_at=expires_at):
                raise SandboxGone(f"Sandbox {row.id} was destroyed")
        return sandbox

    async def pause(self, database: Database, sandbox_id: str) -> None:
        """Let a sandbox cost nothing while its task waits; it is kept for `paused_seconds`.

        Where it is gone its row says so, and `reopen` will.

        Raises:
            SandboxUnusable, SandboxUnreachable: as the provider says; it runs on.
        """
        async with database.reading() as session:
            row = await session.get(Row, sandbox_id)
        if row is None or row.status is not SandboxStatus.running:
            return
        try:
            await self.provider(row.provider).pause(sandbox_id)
        except SandboxGone as error:
            await self.fail(database, sandbox_id, str(error))
            return
        async with database.session() as session:
            expires_at = rows.in_seconds(self._paused_seconds)
            paused, among = SandboxStatus.paused, (SandboxStatus.running,)
            await rows.change(session, sandbox_id, paused, among=among, expires_at=expires_at)

    async def destroy(
        self, database: Database, sandbox_id: str, *, actor: Actor | None = None
    ) -> None:
        """Destroy a sandbox with all that runs in it; nothing where it is gone.

        One on another machine is destroyed from there, at its next look.

        Raises:
            SandboxUnusable, SandboxUnreachable: as the provider says; it may be there still.
        """
        async with database.reading() as session:
            row = await session.get(Row, sandbox_id)
        if row is None or row.status not in rows.ACTIVE:
            return
        here = self.is_here(row)
        if here:
            await self._destroy_there(row)
        async with database.session() as session:
            status, now = SandboxStatus.destroyed, rows.in_seconds(0)
            if here:
                await rows.change(session, sandbox_id, status, actor=actor, destroyed_at=now)
            else:
                await rows.change(session, sandbox_id, row.status, actor=actor, expires_at=now)

    async def remove(self, database: Database, sight: Sight, sandbox_id: str) -> None:
        """Destroy a sandbox because somebody wants it; what is going on in it fails.

        Raises:
            SandboxNotFound: there is none that they see.
            RoleTooLow: they see it, but are no editor in its project.
            SandboxUnusable, SandboxUnreachable: as the provider says.
        """
        async with database.reading() as session:
            await may_destroy(session, sight, sandbox_id)
        await self.destroy(database, sandbox_id, actor=sight.actor)

    async def _is_active(self, database: Database, sandbox_id: str) -> bool:
        """Whether another worker has made it to its end meanwhile: to one label, one sandbox."""
        async with database.reading() as session:
            row = await session.get(Row, sandbox_id)
        return row is not None and row.status in rows.ACTIVE

    async def fail(self, database: Database, sandbox_id: str, reason: str) -> None:
        """Write down that a sandbox is not there any more, and why."""
        async with database.session() as session:
            failed, now = SandboxStatus.failed, rows.in_seconds(0)
            await rows.change(session, sandbox_id, failed, error=reason, destroyed_at=now)

    async def close(self) -> None:
        """Let go of what the providers hold; sandboxes stay."""
        for provider in self.providers.values():
            await provider.close()

    def is_here(self, row: Row) -> bool:
        """Whether a sandbox can be seen from this machine."""
        return row.place is None or row.place == self.place(row.provider)

    async def _destroy_there(self, row: Row) -> None:
        provider = self.provider(row.provider)
        if row.status is not SandboxStatus.creating:
            await provider.destroy(row.id)
            return
        # It has only our label as yet. If it comes later, whoever makes it finds its row ended.
        made = (await provider.labels()).get(self.label(row.id))
        if made is not None:
            await provider.destroy(made)

    async def _finish(
        self, database: Database, row_id: str, provider: SandboxProvider, limits: SandboxLimits
    ) -> Sandbox:
        try:
            async with asyncio.timeout(MAKING_SECONDS):
                sandbox = await provider.create(self.label(row_id), limits)
        except TimeoutError:
            reason = f"The sandbox was not there after {MAKING_SECONDS:.0f} s"
            await self.fail(database, row_id, reason)
            raise SandboxUnreachable(reason) from None
        except AssayError as error:
            await self.fail(database, row_id, str(error))
            raise
        async with database.session() as session:
            there = await rows.change(
                session,
                row_id,
                SandboxStatus.running,
                among=(SandboxStatus.creating,),
                id=sandbox.id,
                expires_at=rows.in_seconds(limits.seconds),
            )
        if not there and not await self._is_active(database, sandbox.id):
            await provider.destroy(sandbox.id)
            raise SandboxGone(f"Sandbox {sandbox.id} was destroyed while it was being made")
        return sandbox
