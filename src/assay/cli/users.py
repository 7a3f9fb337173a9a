"""The commands `assay users`."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import orjson
import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.cli.console import note, output
from assay.cli.options import checked, read_password
from assay.cli.process import load_settings, run
from assay.cli.typer_app import typer_app
from assay.core.config import Settings
from assay.identity.actor import LOCAL_ACTOR, Role
from assay.identity.users import service
from assay.identity.users.models import User
from assay.identity.users.schemas import UserCreate, UserRead, UserUpdate
from assay.startup import open_database

app = typer_app(
    help="Make the people who can sign in, and change what they may do.",
    no_args_is_help=True,
    epilog="""[dim]Examples[/dim]

    assay users create --email ada@example.com --role admin

    assay users list""",
)
Email = Annotated[str, typer.Argument(help="The e-mail address of the user.", metavar="EMAIL")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@app.command(
    epilog="""[dim]Examples[/dim]

    assay users create --email ada@example.com --role admin

    openssl rand -base64 18 | tee password | assay users create --email ci@example.com
    --role editor --password-stdin"""
)
def create(
    email: Annotated[str, typer.Option(help="The name to sign in with.")],
    role: Annotated[Role, typer.Option(help="What they may do at most.")] = Role.viewer,
    name: Annotated[
        str | None, typer.Option(help="What others see; else what stands before the @.")
    ] = None,
    password_stdin: FromStdin = False,
) -> None:
    """Make a user, and ask for the password.

    With the first user this machine is no longer open to whoever sits at it: everybody signs in.
    """
    settings = load_settings(quiet=True)
    new = checked(
        UserCreate,
        email=email,
        name=name or email.strip().partition("@")[0],
        role=role,
        password=read_password(from_stdin=password_stdin),
    )

    async def make(session: AsyncSession) -> None:
        user = await service.create_user(session, LOCAL_ACTOR, new)
        note(f"{escape(user.email)} can sign in now, as {user.role}.")

    _end(settings, make)


@app.command(
    "list",
    epilog="""[dim]Examples[/dim]

    assay users list

    assay users list --json""",
)
def list_users(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """List all users."""

    async def print_all(session: AsyncSession) -> None:
        users = (await session.scalars(select(User).order_by(User.email))).all()
        if as_json:
            rows = [UserRead.model_validate(user).model_dump(mode="json") for user in users]
            typer.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
            return
        table = Table("e-mail", "name", "role", "active", "last sign-in")
        for user in users:
            last = f"{user.last_login_at:%Y-%m-%d %H:%M}" if user.last_login_at else "never"
            active = "yes" if user.is_active else "no"
            table.add_row(escape(user.email), escape(user.name), user.role, active, last)
        output().print(table)

    _end(load_settings(quiet=True), print_all)


@app.command(
    epilog="""[dim]Examples[/dim]

    assay users update ada@example.com --role editor

    assay users update bob@example.com --off"""
)
def update(
    email: Email,
    role: Annotated[Role | None, typer.Option(help="What they may do at most.")] = None,
    name: Annotated[str | None, typer.Option(help="What others see.")] = None,
    active: Annotated[
        bool | None, typer.Option("--on/--off", help="Whether they may sign in.")
    ] = None,
) -> None:
    """Change a user; switched off, they are signed out and their keys refused."""
    settings = load_settings(quiet=True)
    changes = checked(UserUpdate, role=role, name=name, is_active=active)

    async def change(session: AsyncSession) -> None:
        user = await service.find_user(session, email)
        user = await service.update_user(session, LOCAL_ACTOR, user.id, changes)
        state = "may sign in" if user.is_active else "is switched off"
        note(f"{escape(user.email)} is {user.role} and {state}.")

    _end(settings, change)


@app.command(
    epilog="""[dim]Examples[/dim]

    assay users password ada@example.com"""
)
def password(email: Email, password_stdin: FromStdin = False) -> None:
    """Give a user a new password; they are signed out everywhere."""
    settings = load_settings(quiet=True)
    changes = checked(UserUpdate, password=read_password(from_stdin=password_stdin))

    async def change(session: AsyncSession) -> None:
        user = await service.find_user(session, email)
        await service.update_user(session, LOCAL_ACTOR, user.id, changes)
        note(f"{escape(user.email)} has a new password.")

    _end(settings, change)


def _end(settings: Settings, work: Callable[[AsyncSession], Awaitable[None]]) -> None:
    async def within_a_transaction() -> int:
        async with open_database(settings) as database, database.session() as session:
            await work(session)
        return 0

    raise typer.Exit(run(within_a_transaction()))
