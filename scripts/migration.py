"""Write a migration from what the models say: `make migration NAME=run_budgets`."""

import asyncio
import sys
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from sqlalchemy import Connection

from assay import migrations
from assay.core.config import Settings
from assay.startup import open_database


def write(connection: Connection, name: str) -> None:
    """Write the difference between the tables of a migrated database and the models."""
    config = migrations.alembic_config(connection)
    config.set_main_option("file_template", "%%(rev)s")
    command.revision(
        config, name.replace("_", " "), autogenerate=True, rev_id=f"{date.today():%Y_%m_%d}_{name}"
    )


async def main() -> None:
    """Migrate an empty database to the head, then compare."""
    with TemporaryDirectory(prefix="assay-migration-") as home:
        Path(home).chmod(0o755)
        settings = Settings(assay_home=Path(home), database_url=None, _env_file=None)
        async with open_database(settings) as database, database.engine.begin() as connection:
            await connection.run_sync(write, sys.argv[1])


if __name__ == "__main__":
    asyncio.run(main())
