"""How long it takes to rename a tag that many messages carry, and to make two tags one.

    python benchmarks/apps_tags.py               # 100,000 messages; exit code 1 above 2 s

The messages are in 1,000 sessions of one app, among as many that carry other tags. The first
renaming gives a name that nobody has, the second one that a tenth of the messages have too. Both
are asked for over HTTP, and the counts and messages are looked at afterwards.
"""

import argparse
import sys
import time
from typing import Any

import httpx2
from rich.console import Console
from rich.table import Table

from assay.core.database import Database
from installation import installation
from processes import server

BAR = 2.0
"""Seconds."""

SESSIONS = 1000
FILL = """
INSERT INTO apps.chat_sessions (id, app_id, user_id)
SELECT CAST(lpad(to_hex(number), 32, '0') AS uuid), 'bench', 'default'
FROM generate_series(0, {sessions} - 1) AS number;
INSERT INTO apps.chat_messages (id, session_id, role, content, metadata, user_id)
SELECT uuidv7(), CAST(lpad(to_hex(number % {sessions}), 32, '0') AS uuid), 'user',
    repeat('word ', 20), jsonb_build_object('model', 'm', 'tags', CASE
        WHEN number >= {carriers} THEN jsonb_build_array('x', 'y')
        WHEN number % 10 = 0 THEN jsonb_build_array('old', 'x', 'taken')
        WHEN number % 2 = 0 THEN jsonb_build_array('x', 'old')
        ELSE jsonb_build_array('old') END), 'default'
FROM generate_series(0, 2 * {carriers} - 1) AS number;
INSERT INTO apps.tags (app_id, name, user_id, count)
SELECT 'bench', name, 'default', count(*)
FROM apps.chat_messages, jsonb_array_elements_text(metadata -> 'tags') AS name GROUP BY name;
"""
LEFT = """
SELECT count(*) FILTER (WHERE metadata -> 'tags' @> '["new"]') AS new,
    count(*) FILTER (WHERE metadata -> 'tags' @> '["taken"]') AS taken
FROM apps.chat_messages
"""


async def fill(database: Database, carriers: int) -> None:
    """Put the messages and their tags into the database."""
    connection = await database.connect()
    try:
        await connection.execute(FILL.format(sessions=SESSIONS, carriers=carriers))
        # A server does this by itself within a minute or two of so many new rows.
        for table in ("chat_sessions", "chat_messages", "tags"):
            await connection.execute(f"VACUUM (ANALYZE) apps.{table}")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def left(database: Database) -> dict[str, int]:
    """How many messages carry the new and the taken name."""
    connection = await database.connect()
    try:
        return dict(await connection.fetchrow(LEFT))
    finally:
        await connection.close()


def rename(client: httpx2.Client, name: str, new: str) -> tuple[float, Any]:
    """Rename a tag; gives the seconds, and the tag as it is then."""
    tags = client.get("/api/tags", params={"app_id": "bench", "q": name}).json()
    [tag] = [tag for tag in tags if tag["name"] == name]
    start = time.perf_counter()
    response = client.put(f"/api/tags/{tag['id']}", json={"name": new})
    seconds = time.perf_counter() - start
    return seconds, response.raise_for_status().json()


def main() -> int:
    """Measure, print, and say whether the bar is met."""
    parser = argparse.ArgumentParser(description="How fast a tag is renamed.")
    parser.add_argument("--messages", type=int, default=100_000, help="that carry the tag")
    number = parser.parse_args().messages
    with (
        installation() as place,
        server(place.env) as served,
        httpx2.Client(base_url=served.url, timeout=120) as client,
    ):
        place.do(lambda base: fill(base, number))
        renaming, tag = rename(client, "old", "new")
        assert tag["count"] == place.do(left)["new"] == number
        merging, tag = rename(client, "new", "taken")
        assert tag["count"] == number
        assert place.do(left) == {"new": 0, "taken": number}
    table = Table(title=f"A tag on {number:,} messages, among twice as many")
    table.add_column("change")
    table.add_column("seconds", justify="right")
    table.add_row("to a new name", f"{renaming:.2f}")
    table.add_row("to one that a tenth carry too", f"{merging:.2f}")
    Console(width=100).print(table)
    return int(max(renaming, merging) >= BAR)


if __name__ == "__main__":
    sys.exit(main())
