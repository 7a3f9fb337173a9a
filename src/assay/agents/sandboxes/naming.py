"""Names by which the sandboxes of this installation, and of this machine, are told from others."""

import hashlib
import secrets
from pathlib import Path

import anyio.to_thread
from sqlalchemy import text

from assay.core.database import Database

# The cluster and the database in it: a dump that is restored elsewhere is another installation.
_WHERE = text(
    "SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = "
    "current_database()) FROM pg_control_system()"
)
_FILE = "sandboxes.id"


async def label_prefix(database: Database) -> str:
    """What the labels of all sandboxes of this installation begin with."""
    async with database.reading() as session:
        where: str = (await session.execute(_WHERE)).scalar_one()
    return f"assay-{hashlib.sha256(where.encode()).hexdigest()[:12]}-"


async def place_of(folder: Path) -> str:
    """The name of the machine that has this folder; it is made up once, and kept in the folder.

    A container that is made anew with the same folder is the same place.
    """
    return await anyio.to_thread.run_sync(_read_or_make, folder / _FILE)


def _read_or_make(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under a name of its own first: whoever reads sees all of it, and the first one to link wins.
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    fresh.write_text(secrets.token_hex(16))
    try:
        path.hardlink_to(fresh)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text().strip()
