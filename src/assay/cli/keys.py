"""The commands `assay keys`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.cli.console import note, output
from assay.cli.options import checked
from assay.cli.process import load_settings, run
from assay.cli.typer_app import typer_app
from assay.core.config import Settings
from assay.core.secrets import load_secret_key
from assay.identity.actor import LOCAL_ACTOR, Actor, Role, Scope
from assay.identity.authentication import Authenticator
from assay.identity.keys import service
from assay.identity.keys.models import ApiKey
from assay.identity.keys.schemas import KeyCreate
from assay.identity.keys.service import KeyNotFound
from assay.identity.tokens import SHOWN
from assay.identity.users.models import User
from assay.identity.users.service import find_user
from assay.playground.projects.service import authorize_project
from assay.startup import open_database

app = typer_app(
    help="Make and revoke API keys, with which programs act for people.",
    no_args_is_help=True,
    epilog="""[dim]Examples[/dim]

    assay keys create --user ada@example.com --name CI --scope playground:write

    assay keys revoke ask_Zk3vT0aPq9Lm""",
)


@app.command(
    epilog="""[dim]Examples[/dim]

    assay keys create --user ada@example.com --name CI --scope playground:write

    KEY=$(assay keys create --user ada@example.com --name metrics --scope metrics:read --days 90)"""
)
def create(
    user: Annotated[str, typer.Option(help="The e-mail address of whom it acts for.")],
    name: Annotated[str, typer.Option(help="What it is for.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may be used for; can be repeated.")],
    days: Annotated[
        int | None, typer.Option(min=1, max=36500, help="For so long; for ever without it.")
    ] = None,
    project: Annotated[
        UUID | None, typer.Option(help="The id of the only project that it is for.")
    ] = None,
) -> None:
    """Make an API key and print it, this once."""
    settings = load_settings(quiet=True)
    until = datetime.now(UTC) + timedelta(days=days) if days else None
    new = checked(KeyCreate, name=name, scopes=scope, expires_at=until, project_id=project)
    raise typer.Exit(run(_create(settings, user, new)))


async def _create(settings: Settings, email: str, new: KeyCreate) -> int:
    async with open_database(settings) as database:
        authenticator = Authenticator(database, load_secret_key(settings), None)
        async with database.session() as session:
            owner = await find_user(session, email)
            actor = Actor(str(owner.id), owner.role)
            if new.project_id is not None:
                await authorize_project(session, actor, Role.viewer, new.project_id)
            pepper = await authenticator.pepper(session)
            _, key = await service.create_key(session, LOCAL_ACTOR, new, pepper, owner_id=owner.id)
    # Only now: a key that was not committed would never work.
    typer.echo(key)
    note("This is the only time it is shown.")
    return 0


@app.command(
    "list",
    epilog="""[dim]Examples[/dim]

    assay keys list

    assay keys list --user ada@example.com""",
)
def list_keys(
    user: Annotated[str | None, typer.Option(help="Only those of this e-mail address.")] = None,
) -> None:
    """List the API keys that have not been revoked, without the keys themselves."""
    raise typer.Exit(run(_list(load_settings(quiet=True), user)))


async def _list(settings: Settings, email: str | None) -> int:
    query = select(ApiKey, User.email).join(User).where(ApiKey.revoked_at.is_(None))
    async with open_database(settings) as database, database.session() as session:
        if email is not None:
            query = query.where(ApiKey.user_id == (await find_user(session, email)).id)
        rows = (await session.execute(query.order_by(User.email, ApiKey.id))).all()
    table = Table("begins with", "name", "acts for", "scopes", "expires", "last used")
    for key, owner in rows:
        table.add_row(
            key.lookup,
            escape(key.name),
            escape(owner),
            ", ".join(key.scopes),
            f"{key.expires_at:%Y-%m-%d}" if key.expires_at else "never",
            f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never",
        )
    output().print(table)
    return 0


@app.command(
    epilog="""[dim]Examples[/dim]

    assay keys revoke ask_Zk3vT0aPq9Lm"""
)
def revoke(
    key: Annotated[str, typer.Argument(help="How the key begins, as in the list, or all of it.")],
) -> None:
    """Revoke an API key: it is refused from now on, everywhere."""
    raise typer.Exit(run(_revoke(load_settings(quiet=True), key)))


async def _revoke(settings: Settings, text: str) -> int:
    async with open_database(settings) as database, database.session() as session:
        key = await _find(session, text)
        await service.revoke_key(session, LOCAL_ACTOR, key.id)
        note(f"{key.lookup} ({escape(key.name)}) is revoked.")
    return 0


async def _find(session: AsyncSession, text: str) -> ApiKey:
    begins = text[:SHOWN]
    key = await session.scalar(select(ApiKey).where(ApiKey.lookup == begins))
    if key is None:
        raise KeyNotFound(f"There is no API key that begins with {begins}.")
    return key
