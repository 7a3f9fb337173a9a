"""Limits held over all workers: each process holds a lease on a part of every limit.

A row for each process and scope says how much of the limit it may use and until when. Each
process renews its rows, more often where it shares, and takes its fair share of what the
others leave, so the parts never add up to more than the limit: one that has to shrink writes
the smaller part only once its calls in flight fit in it, one that wants more takes only what
is free. A process that dies stops renewing, and its part falls back to the others.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self
from uuid import UUID

import structlog
from sqlalchemy import String, and_, delete, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import DATABASE_ERRORS, Base, Database, Timestamp
from assay.core.ids import new_id
from assay.gateway.slots import Slots

log = structlog.get_logger(__name__)

LEASE_SECONDS = 6.0
# Stop before the lease ends, by more than clocks and a slow loop may differ.
SAFETY_SECONDS = 1.5
RENEW_TIMEOUT = 2.0
# While another process wants the same, parts move several times a second.
SHARED_EVERY = 0.2
ALONE_EVERY = 1.0
# A scope that nobody here used for so long is given up until it is used again.
FORGET_AFTER = 30.0


class Lease(Base):
    """A process's part of the limit of a scope."""

    __tablename__ = "leases"
    __table_args__ = {"schema": "gateway"}  # noqa: RUF012  # SQLAlchemy reads it as it stands

    scope: Mapped[str] = mapped_column(String(300), primary_key=True)
    holder: Mapped[UUID] = mapped_column(primary_key=True)
    wanted: Mapped[int]
    granted: Mapped[int]
    expires_at: Mapped[Timestamp]


def fair_shares(limit: int, wanted: Mapping[UUID, int]) -> dict[UUID, int]:
    """Divide `limit` among holders: nobody gets more than wanted while another lacks.

    Max-min fairness in whole numbers; what is left when all have what they want is spread
    evenly, so that a lone holder always has the whole limit at hand.
    """
    shares: dict[UUID, int] = {}
    left = limit
    modest_first = sorted(wanted, key=lambda holder: (wanted[holder], holder))
    for place, holder in enumerate(modest_first):
        shares[holder] = min(wanted[holder], left // (len(modest_first) - place))
        left -= shares[holder]
    for place, holder in enumerate(sorted(wanted)):
        shares[holder] += left // len(wanted) + (place < left % len(wanted))
    return shares


class _Scope:
    """What this process knows of one scope."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.slots = Slots(0)
        self.target = 0
        self.used_at = time.monotonic()

    @property
    def wanted(self) -> int:
        cap = self.limit if self.slots.cap is None else min(self.limit, self.slots.cap)
        return min(cap, self.slots.in_flight + self.slots.waiting)


class SharedLimits:
    """`Limits` held over all processes that use one database.

    Use as an async context manager; leaving it gives all leases back.
    """

    def __init__(self, database: Database) -> None:
        """Hold leases in `database`."""
        self._database = database
        self._holder = new_id()
        self._scopes: dict[str, _Scope] = {}
        self._new = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._renewed_at = 0.0
        self._shared = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_renewing())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        with contextlib.suppress(*DATABASE_ERRORS):
            async with self._database.session() as session:
                await session.execute(delete(Lease).where(Lease.holder == self._holder))

    def slots(self, scope: str, limit: int) -> Slots:
        """The one `Slots` of `scope` in this process; filled within milliseconds."""
        known = self._scopes.get(scope)
        if known is None:
            known = self._scopes[scope] = _Scope(limit)
            self._new.set()
        known.limit = limit
        known.used_at = time.monotonic()
        return known.slots

    async def forget(self, scope: str) -> None:
        """Give back the lease of a scope that is not needed again, such as an ended run's."""
        if self._scopes.pop(scope, None) is not None:
            with contextlib.suppress(*DATABASE_ERRORS):
                async with self._database.session() as session:
                    mine = and_(Lease.scope == scope, Lease.holder == self._holder)
                    # Rows of the dead count for nothing; this is the moment to sweep them out.
                    dead = Lease.expires_at < func.clock_timestamp()
                    await session.execute(delete(Lease).where(or_(mine, dead)))

    async def _keep_renewing(self) -> None:
        while True:
            busy = self._shared and any(scope.wanted for scope in self._scopes.values())
            with contextlib.suppress(TimeoutError):
                pause = SHARED_EVERY if busy else ALONE_EVERY
                await asyncio.wait_for(self._new.wait(), pause)
            self._new.clear()
            now = time.monotonic()
            for scope in self._scopes.values():
                if scope.wanted:
                    scope.used_at = now
            if self._scopes:
                await self._renew(now)

    async def _renew(self, now: float) -> None:
        scopes = dict(self._scopes)
        try:
            async with asyncio.timeout(RENEW_TIMEOUT), self._database.session() as session:
                await _lock(session, scopes)
                idle = await self._give_up_idle(session, scopes, now)
                await self._claim(session, {n: s for n, s in scopes.items() if n not in idle})
        except DATABASE_ERRORS as error:
            if now - self._renewed_at > LEASE_SECONDS - SAFETY_SECONDS:
                if any(scope.slots.allowance for scope in scopes.values()):
                    reason = str(error).split("\n", 1)[0]
                    log.warning("leases ran out, models wait for the database", error=reason)
                for scope in scopes.values():
                    scope.slots.allowance = 0
            return
        self._renewed_at = now
        # Only now that others can see it may this process use more than before.
        for scope in scopes.values():
            scope.slots.allowance = scope.target

    async def _give_up_idle(
        self, session: AsyncSession, scopes: Mapping[str, _Scope], now: float
    ) -> set[str]:
        idle = {
            name
            for name, scope in scopes.items()
            if not scope.wanted and now - scope.used_at > FORGET_AFTER
        }
        for name in idle:
            scopes[name].target = scopes[name].slots.allowance = 0
        if idle:
            await session.execute(
                delete(Lease).where(Lease.scope.in_(idle), Lease.holder == self._holder)
            )
        return idle

    async def _claim(self, session: AsyncSession, scopes: Mapping[str, _Scope]) -> None:
        others: dict[str, list[Lease]] = {name: [] for name in scopes}
        for lease in await session.scalars(
            select(Lease).where(
                Lease.scope.in_(scopes),
                Lease.holder != self._holder,
                Lease.expires_at > func.clock_timestamp(),
            )
        ):
            others[lease.scope].append(lease)
        self._shared = any(others.values())
        rows = [
            {
                "scope": name,
                "holder": self._holder,
                "wanted": scope.wanted,
                "granted": self._part(scope, others[name]),
                "expires_at": func.clock_timestamp() + timedelta(seconds=LEASE_SECONDS),
            }
            for name, scope in scopes.items()
        ]
        if rows:
            statement = insert(Lease).values(rows)
            renewed = ("wanted", "granted", "expires_at")
            await session.execute(
                statement.on_conflict_do_update(
                    index_elements=[Lease.scope, Lease.holder],
                    set_={column: statement.excluded[column] for column in renewed},
                )
            )

    def _part(self, scope: _Scope, others: Sequence[Lease]) -> int:
        """This process's part of a scope beside `others`; where it shrinks, it does so at once."""
        wanted = {lease.holder: lease.wanted for lease in others}
        shares = fair_shares(scope.limit, {**wanted, self._holder: scope.wanted})
        taken = sum(lease.granted for lease in others)
        free = max(0, scope.limit - taken)
        scope.target = min(shares[self._holder], free)
        scope.slots.allowance = min(scope.slots.allowance, scope.target)
        # Calls in flight cannot be taken back: they count until they end.
        granted = max(scope.target, min(scope.slots.in_flight, free))
        scope.slots.share = granted / (granted + taken) if granted else 0.0
        return granted


async def _lock(session: AsyncSession, scopes: Mapping[str, _Scope]) -> None:
    # In one order everywhere, or two processes would wait for each other.
    await session.execute(
        text(
            "SELECT pg_advisory_xact_lock(hashtextextended(scope, 0))"
            " FROM unnest(CAST(:names AS text[])) AS scope"
        ),
        {"names": sorted(scopes)},
    )
