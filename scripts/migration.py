"""Write a migration from what the models say: `make migration NAME=run_budgets`."""

import asyncio
import sys
from datetime import UTC, datetime
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
    revision = f"{datetime.now(UTC):%Y_%m_%d}_{name}"
    command.revision(config, name.replace("_", " "), autogenerate=True, rev_id=revision)


async def compare(home: Path, name: str) -> None:
    """Migrate an empty database to the head, then write what the models say beyond it."""
    settings = Settings(assay_home=home, database_url=None, _env_file=None)
    async with open_database(settings) as database, database.engine.begin() as connection:
        await connection.run_sync(write, name)


def main() -> None:
    """Take the name from the command line."""
    if len(sys.argv) != 2 or not sys.argv[1].isidentifier():
        sys.exit("Give the migration a name of letters and underscores: NAME=run_budgets")
    with TemporaryDirectory(prefix="assay-migration-") as home:
        Path(home).chmod(0o755)
        asyncio.run(compare(Path(home), sys.argv[1]))


if __name__ == "__main__":
    main()
