"""The database: connections, sessions, and what all tables share."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, cast

import asyncpg
import orjson
from fastapi import Depends, Request
from pydantic import Field
from sqlalchemy import DateTime, Enum, MetaData, String, event, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.orm import Session as SyncSession

from assay.core.errors import SetupError
from assay.core.ids import new_id
from assay.core.text import Text

CONNECT_SECONDS = 10.0
_READING_METHODS = frozenset({"GET", "HEAD"})

# What asyncpg raises when the server goes away, restarts, or is not up yet.
CONNECTION_ERRORS = (
    OSError,
    asyncpg.InterfaceError,
    # A connection cut off in the middle of a statement can be left in a state of its own.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.AdminShutdownError,
    asyncpg.exceptions.CrashShutdownError,
    asyncpg.exceptions.CannotConnectNowError,
    asyncpg.exceptions.TooManyConnectionsError,
)
# All that work on the database raises, whether a statement, the connection or the pool is at
# fault. What runs for as long as the process does must outlive each of them.
DATABASE_ERRORS = (DBAPIError, PoolTimeoutError, asyncpg.PostgresError, *CONNECTION_ERRORS)

Id = Annotated[uuid.UUID, mapped_column(primary_key=True, default=new_id)]
Name = Annotated[Text, mapped_column(String(255)), Field(min_length=1, max_length=255)]
Json = Annotated[Any, mapped_column(JSONB(none_as_null=True))]
CreatedAt = Annotated[
    datetime, mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())
]
UpdatedAt = Annotated[
    datetime,
    mapped_column(
        DateTime(timezone=True),
        server_default=func.clock_timestamp(),
        onupdate=func.clock_timestamp(),
    ),
]
Timestamp = Annotated[datetime, mapped_column(DateTime(timezone=True))]


def one_of(kind: type[StrEnum], length: int) -> Enum:
    """The type of a text column that holds one of the values of an enumeration."""
    return Enum(
        kind,
        native_enum=False,
        length=length,
        values_callable=lambda values: [value.value for value in values],
    )


class Base(DeclarativeBase):
    """What every table class derives from.

    Server-made values come back with the insert or update itself, so that a response never
    needs a second query; constraint names follow one pattern, so that migrations can name them.
    """

    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012  # SQLAlchemy reads it as it stands
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def to_json(value: object) -> str:
    """JSON text for a column; non-finite numbers become null, keys of any type become text."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


class _ReadingSession(SyncSession):
    """A session without a transaction: what it wrote could not be taken back, so it may not."""


@event.listens_for(_ReadingSession, "before_flush")
def _refuse_to_write(*_: object) -> None:
    raise RuntimeError("this session only reads")


class Database:
    """One PostgreSQL database: `session()` for work, `connect()` for a raw connection.

    `dsn` is a libpq address (`postgresql://user:password@host:port/name?sslmode=...`).
    """

    def __init__(self, dsn: str, *, pool_size: int = 20) -> None:
        """Prepare a pool of up to `pool_size` connections; none is opened yet."""
        self.dsn = dsn
        self.engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self.connect,
            pool_size=5,
            max_overflow=pool_size - 5,
            json_serializer=to_json,
            json_deserializer=orjson.loads,
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        # The same pool; BEGIN and COMMIT around a single read would take two thirds of its time.
        self._readings = async_sessionmaker(
            self.engine.execution_options(isolation_level="AUTOCOMMIT"),
            sync_session_class=_ReadingSession,
            expire_on_commit=False,
        )

    async def connect(self) -> asyncpg.Connection:
        """Open a connection of its own, outside the pool."""
        return await asyncpg.connect(
            self.dsn,
            timeout=CONNECT_SECONDS,
            server_settings={"application_name": "assay", "jit": "off"},
        )

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session with one transaction: committed at the end, rolled back on an error."""
        async with self._sessions() as session, session.begin():
            yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session that only reads, without a transaction.

        Each statement sees what is committed when it starts, which it would in a transaction of
        PostgreSQL's usual kind (READ COMMITTED) as well.
        """
        async with self._readings() as session:
            yield session

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A pooled asyncpg connection without a transaction, for single statements in bulk."""
        async with self.engine.connect() as connection:
            raw = await connection.get_raw_connection()
            try:
                yield cast("asyncpg.Connection", raw.driver_connection)
            except asyncio.CancelledError:
                # The server may still be at what was broken off, so nobody else can have it.
                await connection.invalidate()
                raise

    async def check(self) -> None:
        """Ask the server for a sign of life.

        Raises:
            SetupError: it cannot be reached; the reason names no password.
        """
        try:
            connection = await self.connect()
        except (*CONNECTION_ERRORS, asyncpg.PostgresError, ValueError) as error:
            reason = _reason(error)
            raise SetupError(
                f"The database cannot be reached: {reason}. Check DATABASE_URL and that "
                "PostgreSQL runs there, or unset DATABASE_URL to let Assay bring its own."
            ) from None
        await connection.close()

    async def dispose(self) -> None:
        """Close all pooled connections."""
        await self.engine.dispose()


def _reason(error: Exception) -> str:
    if isinstance(error, ValueError) and not isinstance(error, asyncpg.InterfaceError):
        # The text quotes what was taken for the port, which can be part of the password.
        return "the address has no right form; encode special characters (%2F for a slash)"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


async def driver_connection(session: AsyncSession) -> asyncpg.Connection:
    """The asyncpg connection under `session`, inside the session's own transaction.

    For the few statements where the ORM costs more than it gives, and for libraries
    that take an asyncpg connection.
    """
    connection = await session.connection()
    raw = cast("asyncpg.Connection", (await connection.get_raw_connection()).driver_connection)
    if not raw.is_in_transaction():
        # SQLAlchemy sends BEGIN with its own first statement; a raw statement before
        # that would commit by itself.
        await connection.exec_driver_sql("SELECT 1")
    return raw


def is_value_refused(error: DBAPIError) -> bool:
    """Whether `error` says that a value does not fit its type (SQLSTATE class 22)."""
    return error.orig is not None and isinstance(error.orig.__cause__, asyncpg.DataError)


def is_deadlock(error: BaseException) -> bool:
    """Whether PostgreSQL took a transaction back because others were in its way (SQLSTATE 40)."""
    if isinstance(error, DBAPIError):
        error = (error.orig and error.orig.__cause__) or error
    return isinstance(error, asyncpg.exceptions.TransactionRollbackError)


def is_disconnect(error: BaseException) -> bool:
    """Whether `error` says that there is no connection, not that a statement is at fault."""
    if isinstance(error, DBAPIError):
        cause = error.orig.__cause__ if error.orig else None
        return error.connection_invalidated or isinstance(cause, CONNECTION_ERRORS)
    return isinstance(error, (PoolTimeoutError, *CONNECTION_ERRORS))


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """The session of a request, and the only commit: before the response is sent.

    GET and HEAD change nothing, so they get one that only reads.

    FastAPI would end a plain dependency after the response; `scope="function"` in `Session`
    makes a failing commit an error the caller sees.
    """
    database = cast("Database", request.app.state.database)
    reads = request.method in _READING_METHODS
    async with database.reading() if reads else database.session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session, scope="function")]
