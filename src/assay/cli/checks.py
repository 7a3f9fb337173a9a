"""What `assay doctor` looks at; each check gives findings and never raises."""

import shutil
import socket
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from enum import StrEnum
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from assay import migrations
from assay.agents.sandboxes.providers.local.provider import LocalProvider
from assay.cli.database import database_name, reach_database
from assay.cli.serving import listen
from assay.core.addresses import is_loopback
from assay.core.config import Settings
from assay.core.database import CONNECTION_ERRORS, Database
from assay.core.errors import AssayError, SetupError
from assay.core.ids import new_id
from assay.files.backends import open_storage
from assay.gateway.providers.catalog import BUILTIN, KNOWN
from assay.gateway.service import Gateway

GIB = 1024**3
LITTLE_DISK = 5 * GIB
NO_DISK = GIB // 2
OLDEST_POSTGRESQL = 15
SLOW_MS = 20.0
_PROBE_SECONDS = 1.0
_PROBE = b"assay doctor was here"


class Status(StrEnum):
    """How a check came out."""

    ok = "ok"
    warn = "warn"
    fail = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what was looked at.
        status: how it came out.
        detail: what was found; never a secret.
        remedy: how to mend it, where there is something to mend.
    """

    name: str
    status: Status
    detail: str
    remedy: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """The finding as an object."""
        return asdict(self)


def check_settings() -> tuple[Settings | None, Finding]:
    """The settings, unless one has a value that it does not take."""
    try:
        settings = Settings.load()
    except SetupError as error:
        faults = "; ".join(map(str, error.errors))
        return None, Finding("settings", Status.fail, faults, "Correct the variable, or unset it.")
    return settings, Finding("settings", Status.ok, "every variable has a value that it takes")


async def check_all(settings: Settings) -> list[Finding]:
    """Look at everything."""
    return [
        check_home(settings.assay_home),
        check_disk(settings.assay_home),
        *await check_database(settings),
        await check_storage(settings),
        *await check_providers(settings),
        await check_sandbox(settings.assay_home),
        check_port(settings),
    ]


def check_home(home: Path) -> Finding:
    """Whether files can be made in ASSAY_HOME."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".doctor"
        probe.touch()
        probe.unlink()
    except OSError as error:
        remedy = "Set ASSAY_HOME to a folder of yours."
        return Finding("home", Status.fail, f"{home} cannot be written: {error.strerror}", remedy)
    return Finding("home", Status.ok, f"{home} can be written")


def check_disk(home: Path) -> Finding:
    """How much room there is where ASSAY_HOME is, or would be."""
    there = next(folder for folder in (home, *home.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    detail = f"{free / GIB:.1f} GiB free for {home}"
    if free < NO_DISK:
        return Finding("disk", Status.fail, detail, "Make room, or set ASSAY_HOME elsewhere.")
    if free < LITTLE_DISK:
        return Finding("disk", Status.warn, detail, "Results take some 2 KB a cell: make room.")
    return Finding("disk", Status.ok, detail)


async def check_database(settings: Settings) -> list[Finding]:
    """Whether the database can be reached, is new enough, migrated, and near."""
    name = database_name(settings)
    try:
        async with reach_database(settings) as database:
            version = await _postgresql_version(database)
            return [
                Finding("database", Status.ok, f"{name} can be reached"),
                version,
                await _check_revision(settings, database),
                await _check_latency(database),
            ]
    except AssayError as error:
        return [Finding("database", Status.fail, str(error))]
    except (DBAPIError, asyncpg.PostgresError, *CONNECTION_ERRORS) as error:
        reason = f"{name} fails: {str(error).splitlines()[0]}"
        return [Finding("database", Status.fail, reason, "Check what its user may do.")]


async def _postgresql_version(database: Database) -> Finding:
    async with database.session() as session:
        number = int(await session.scalar(text("SHOW server_version_num")) or 0)
    detail = f"PostgreSQL {number // 10000}.{number % 10000}"
    if number // 10000 < OLDEST_POSTGRESQL:
        remedy = f"Use PostgreSQL {OLDEST_POSTGRESQL} or newer."
        return Finding("version", Status.fail, detail, remedy)
    return Finding("version", Status.ok, detail)


async def _check_revision(settings: Settings, database: Database) -> Finding:
    current, head = await migrations.current(database), migrations.head()
    if current == head:
        return Finding("revision", Status.ok, f"{head}, the newest")
    detail = f"{current or 'none'}, and this Assay needs {head}"
    if settings.database_url is None:
        return Finding("revision", Status.ok, f"{detail}; the next start migrates it")
    return Finding("revision", Status.fail, detail, "Run assay migrate.")


async def _check_latency(database: Database) -> Finding:
    times = []
    async with database.connection() as connection:
        for _ in range(5):
            started = time.perf_counter()
            await connection.fetchval("SELECT 1")
            times.append((time.perf_counter() - started) * 1000)
    fastest = min(times)
    detail = f"{fastest:.1f} ms for a round trip"
    if fastest > SLOW_MS:
        remedy = "Bring server and workers near to the database: each batch of results waits."
        return Finding("latency", Status.warn, detail, remedy)
    return Finding("latency", Status.ok, detail)


async def check_storage(settings: Settings) -> Finding:
    """Whether files can be stored, read and removed again."""
    kind = settings.file_storage_type
    remedy = "Check FILE_STORAGE_TYPE and the settings of that storage in docs/apps.md."
    key = f"doctor/{new_id().hex}"
    try:
        storage = open_storage(settings)
        await storage.save(key, _some_bytes(), limit=len(_PROBE))
        found = await storage.open(key)
        read = b"".join([chunk async for chunk in found.chunks])
        await storage.remove(key)
    except AssayError as error:
        reason = str(error.__cause__ or error).split("\n", 1)[0]
        return Finding("storage", Status.fail, f"{kind} cannot be used: {reason}", remedy)
    if read != _PROBE:
        return Finding("storage", Status.fail, f"{kind} gives back other bytes", remedy)
    return Finding("storage", Status.ok, f"{kind} takes files and gives them back")


async def _some_bytes() -> AsyncIterator[bytes]:
    yield _PROBE


async def check_providers(settings: Settings) -> list[Finding]:
    """Which providers of models have a key, and which servers on this machine answer."""
    findings = []
    for name in KNOWN:
        try:
            given = settings.provider(name)
        except SetupError as error:
            faults = "; ".join(map(str, error.errors))
            findings.append(
                Finding(f"provider {name}", Status.fail, faults, "Correct the variable.")
            )
            continue
        if given.api_key is not None:
            findings.append(Finding(f"provider {name}", Status.ok, "a key is set (not tried)"))
    if all(finding.status is not Status.fail for finding in findings):
        findings.extend(await _check_local_servers(settings))
    if not findings:
        remedy = "Set OPENAI_API_KEY, ANTHROPIC_API_KEY and so on, or start Ollama."
        detail = "no key is set and no local server answers; the built-in programs work"
        return [Finding("providers", Status.warn, detail, remedy)]
    return findings


async def _check_local_servers(settings: Settings) -> list[Finding]:
    async with Gateway(settings) as gateway:
        names = await gateway.available()
    models = _by_provider(names)
    findings = []
    for name in KNOWN:
        given = settings.provider(name)
        if name in models and given.api_key is None:
            detail = f"answers on this machine with {_listed(models[name])}"
            findings.append(Finding(f"provider {name}", Status.ok, detail))
        elif name not in models and is_loopback(urlsplit(given.base_url or "").hostname or ""):
            detail = f"nothing answers at {given.base_url}"
            remedy = f"Start the server, or unset {name.upper().replace('-', '_')}_BASE_URL."
            findings.append(Finding(f"provider {name}", Status.warn, detail, remedy))
    return findings


def _by_provider(names: Iterable[str]) -> dict[str, list[str]]:
    models: dict[str, list[str]] = {}
    for name in names:
        provider, _, model = name.partition("/")
        if provider != BUILTIN:
            models.setdefault(provider, []).append(model)
    return models


def _listed(models: Sequence[str]) -> str:
    shown = ", ".join(models[:3])
    return shown if len(models) <= 3 else f"{shown} and {len(models) - 3} more"


async def check_sandbox(home: Path) -> Finding:
    """Whether sandboxes can be made here, which agents run code in, by making one."""
    try:
        await LocalProvider(home).check()
    except AssayError as error:
        detail = f"agents cannot work in sandboxes of this machine: {error.detail}"
        remedy = "Mend that, or let agents use E2B; evaluations need no sandbox."
        return Finding("sandbox", Status.warn, detail, remedy)
    except OSError as error:
        return Finding("sandbox", Status.warn, f"{home} takes no sandbox: {error.strerror}")
    return Finding("sandbox", Status.ok, "bubblewrap runs commands in sandboxes of this machine")


def check_port(settings: Settings) -> Finding:
    """Whether the port is free, or an Assay listens on it."""
    try:
        with closing(listen(settings)):
            return Finding("port", Status.ok, f"{settings.api_port} on {settings.host} is free")
    except SetupError as error:
        if _assay_answers(settings.host, settings.api_port):
            detail = f"an Assay server answers on {settings.host}:{settings.api_port}"
            return Finding("port", Status.ok, detail)
        return Finding("port", Status.fail, error.detail, "Free it, or set HOST and API_PORT.")


def _assay_answers(host: str, port: int) -> bool:
    connection = HTTPConnection(host, port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/api/health")
        return b'"database"' in connection.getresponse().read(1000)
    except (OSError, HTTPException, socket.gaierror):
        return False
    finally:
        connection.close()
