"""Holds writes of a worker back inside PostgreSQL, so that it can be killed right before them.

A trigger lets the write of a task wait for an advisory lock of the test's. What a killed worker
has not committed by then never is.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import asyncpg

from assay.core.database import Database

_CLASS = 4242
_TABLES = ("tasks", "task_messages", "task_calls", "task_events", "git_operations", "sandboxes")
_SETUP = """
CREATE TABLE public.held (
    id int GENERATED ALWAYS AS IDENTITY, task_id uuid, in_table text, wanted jsonb
);
CREATE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    new_row jsonb := to_jsonb(NEW);
    old_row jsonb := CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) END;
BEGIN
    PERFORM pg_advisory_xact_lock(4242, id) FROM public.held
    WHERE in_table = TG_TABLE_NAME
        AND task_id::text = coalesce(new_row->>'task_id', new_row->>'id')
        AND new_row @> wanted AND (old_row @> wanted) IS NOT TRUE;
    RETURN NEW;
END $$;
"""
_TRIGGER = """
CREATE TRIGGER hold BEFORE INSERT OR UPDATE ON agents.{table}
FOR EACH ROW EXECUTE FUNCTION public.hold();
"""


class HeldWrites:
    """The writes that are held back."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        """Hold by the locks of this connection."""
        self._connection = connection

    async def hold(self, task_id: UUID, table: str, wanted: Mapping[str, Any]) -> None:
        """Hold the write that gives a row of the task, in this table, these fields."""
        held_id = await self._connection.fetchval(
            "INSERT INTO public.held (task_id, in_table, wanted) VALUES ($1, $2, $3) RETURNING id",
            *(task_id, table, json.dumps(wanted)),
        )
        await self._connection.execute("SELECT pg_advisory_lock($1, $2)", _CLASS, held_id)

    async def reached(self) -> set[UUID]:
        """The tasks with a write that waits now."""
        rows = await self._connection.fetch(
            "SELECT task_id FROM public.held JOIN pg_locks ON objid::int = id"
            " WHERE locktype = 'advisory' AND classid::int = $1 AND NOT granted",
            _CLASS,
        )
        return {row["task_id"] for row in rows}

    async def release(self) -> None:
        """Hold nothing any more."""
        await self._connection.execute("DELETE FROM public.held")
        await self._connection.execute("SELECT pg_advisory_unlock_all()")


@contextlib.asynccontextmanager
async def holding(database: Database) -> AsyncIterator[HeldWrites]:
    """Hold writes in this database while the context is open."""
    connection = await database.connect()
    try:
        await connection.execute(_SETUP)
        for table in _TABLES:
            await connection.execute(_TRIGGER.format(table=table))
        yield HeldWrites(connection)
    finally:
        await connection.close()
