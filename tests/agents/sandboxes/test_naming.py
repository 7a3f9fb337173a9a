"""Names by which sandboxes of this installation and this machine are told from others."""

import asyncio
import re
from pathlib import Path

from assay.agents.sandboxes.naming import label_prefix, place_of
from assay.core.database import Database


async def test_an_installation_keeps_its_prefix_and_shares_it_with_none(
    database: Database, own_database: Database
) -> None:
    prefix = await label_prefix(database)
    assert re.fullmatch(r"assay-[0-9a-f]{12}-", prefix)
    again = Database(database.dsn)
    assert await label_prefix(again) == prefix
    await again.dispose()
    assert await label_prefix(own_database) != prefix


async def test_a_place_is_made_up_once(tmp_path: Path) -> None:
    names = await asyncio.gather(*(place_of(tmp_path / "home") for _ in range(20)))
    assert len(set(names)) == 1
    assert re.fullmatch("[0-9a-f]{32}", names[0])
    assert await place_of(tmp_path / "home") == names[0]
    assert await place_of(tmp_path / "other") != names[0]
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["sandboxes.id"]
