"""The one settings object: the environment and an optional `.env` file, read once."""

import os
import re
from enum import StrEnum
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Self

import platformdirs
from dotenv import dotenv_values
from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from assay.core.errors import FieldFault, SetupError

SHORTEST_SECRET_KEY = 32

# Settings whose values are never shown: addresses can hold a password.
_HIDDEN = re.compile("key|secret|token|password|url|connection")


class LogFormat(StrEnum):
    """How log lines are written."""

    console = "console"
    json = "json"


class FileStorage(StrEnum):
    """Where uploaded files are kept."""

    local = "local"
    azure_blob = "azure_blob"
    s3 = "s3"
    gcs = "gcs"


class ProviderSettings(BaseModel):
    """What is set for one provider of models; `None` where nothing is."""

    name: str
    api_key: SecretStr | None = None
    base_url: str | None = None
    max_concurrency: int | None = Field(default=None, ge=1)
    rpm: int | None = Field(default=None, ge=1)
    tpm: int | None = Field(default=None, ge=1)
    timeout: float = Field(default=120.0, gt=0)


def _default_home() -> Path:
    return Path(platformdirs.user_data_dir("assay", appauthor=False))


class Settings(BaseSettings):
    """All settings of a server, a worker or a command.

    Every field is an environment variable of the same name in capitals; see `.env.example`.
    """

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    assay_home: Path = Field(default_factory=_default_home)
    database_url: str | None = Field(default=None, repr=False)
    database_pool_size: int = Field(default=20, ge=5, le=200)
    host: str = "127.0.0.1"
    api_port: int = Field(default=8721, ge=0, le=65535)
    secret_key: SecretStr | None = None
    secret_key_previous: SecretStr | None = None
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    requests_per_minute: int = Field(default=6000, ge=0)
    events_hours: float = Field(default=24.0, gt=0)
    audit_days: float = Field(default=400.0, gt=0)
    cache_days: float = Field(default=30.0, gt=0)
    webhook_days: float = Field(default=30.0, gt=0)
    webhook_allowed_networks: Annotated[tuple[str, ...], NoDecode] = ()
    cors_origins: Annotated[tuple[str, ...], NoDecode] = (
        "http://localhost:5173",
        "http://localhost:3000",
    )
    max_body_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    max_import_bytes: int = Field(default=2 * 1024**3, ge=1024)
    file_storage_type: FileStorage = FileStorage.local
    file_storage_path: Path | None = None
    azure_storage_connection_string: SecretStr | None = None
    azure_storage_container: str = "evals-files"
    s3_bucket: str | None = None
    s3_endpoint: str | None = None
    gcs_bucket: str | None = None
    max_upload_bytes: int = Field(default=5 * 1024**3, ge=1)
    sandbox_memory_bytes: int = Field(default=2 * 1024**3, ge=64 * 1024**2)
    sandbox_disk_bytes: int = Field(default=4 * 1024**3, ge=16 * 1024**2)
    sandbox_processes: int = Field(default=256, ge=16)
    sandbox_network: Annotated[tuple[str, ...], NoDecode] = ()
    sandbox_paused_hours: float = Field(default=72.0, gt=0)
    e2b_api_key: SecretStr | None = None
    e2b_template: str | None = None
    e2b_max_seconds: int = Field(default=3600, ge=60, le=86_400)
    github_token: SecretStr | None = None
    github_url: str = "https://github.com"
    github_api_url: str | None = None
    git_tokens: SecretStr | None = None
    git_local_remotes: Annotated[tuple[Path, ...], NoDecode] = ()
    git_allowed_networks: Annotated[tuple[str, ...], NoDecode] = ()
    log_format: LogFormat = LogFormat.console
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    server_workers: int = Field(default=1, ge=0, le=1)
    worker_max_in_flight: int = Field(default=256, ge=1)
    worker_jobs: int = Field(default=64, ge=2)
    worker_tasks: int = Field(default=50, ge=1)
    shutdown_seconds: float = Field(default=20.0, ge=0)

    @field_validator(
        "cors_origins",
        "git_allowed_networks",
        "git_local_remotes",
        "sandbox_network",
        "trusted_proxies",
        "webhook_allowed_networks",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("secret_key", "secret_key_previous")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        length = len(value.get_secret_value()) if value else 0
        if 0 < length < SHORTEST_SECRET_KEY:
            raise _fault(
                f"takes {SHORTEST_SECRET_KEY} characters or more, at random: "
                "`openssl rand -base64 48` makes one"
            )
        return value if length else None

    @field_validator(
        "e2b_api_key",
        "e2b_template",
        "git_tokens",
        "github_api_url",
        "github_token",
        mode="before",
    )
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @field_validator("git_tokens")
    @classmethod
    def _tokens_of_hosts(cls, value: SecretStr | None) -> SecretStr | None:
        for entry in value.get_secret_value().split(",") if value else ():
            host, _, token = entry.strip().partition("=")
            if not host or not token or "/" in host:
                raise _fault("takes host=token or host=user:token, with commas between them")
        return value

    @field_validator("git_local_remotes")
    @classmethod
    def _absolute_folders(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        if any(not folder.is_absolute() for folder in value):
            raise _fault("takes absolute paths of folders, with commas between them")
        return value

    @field_validator("github_url", "github_api_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"https?://[^/@\s]+(/[^@\s]*)?", value):
            raise _fault("takes an address such as https://github.example.com")
        return value.rstrip("/") if value else value

    @field_validator("git_allowed_networks", "trusted_proxies", "webhook_allowed_networks")
    @classmethod
    def _addresses_only(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ip_network(network)
            except ValueError:
                raise _fault(
                    f"takes addresses and networks such as 10.0.0.0/8, not {network}"
                ) from None
        return value

    @field_validator("database_url")
    @classmethod
    def _postgresql_only(cls, value: str | None) -> str | None:
        if value and not value.startswith(("postgresql://", "postgres://")):
            raise _fault("takes postgresql://user:password@host:port/name")
        return value or None

    @field_validator("assay_home", mode="before")
    @classmethod
    def _empty_home_is_none(cls, value: object) -> object:
        return value or _default_home()

    @field_validator("assay_home")
    @classmethod
    def _absolute_home(cls, value: Path) -> Path:
        try:
            return value.expanduser().resolve()
        except RuntimeError:
            raise _fault(f"there is no user {value.parts[0]} on this machine") from None

    def provider(self, name: str) -> ProviderSettings:
        """What is set for provider `name`: `OPENAI_API_KEY`, `OPENAI_BASE_URL`, `OPENAI_RPM`, ...

        Raises:
            SetupError: a variable has a value that it does not take.
        """
        prefix = name.upper().replace("-", "_") + "_"
        environment = _environment()
        given = {
            field: environment[prefix + field.upper()]
            for field in ProviderSettings.model_fields
            if field != "name" and environment.get(prefix + field.upper())
        }
        try:
            return ProviderSettings.model_validate({"name": name, **given})
        except ValidationError as error:
            raise _setup_error(error, prefix) from None

    @classmethod
    def load(cls, **overrides: object) -> Self:
        """Read the environment; `overrides` (of command line options) win.

        Raises:
            SetupError: naming the variable and what it takes.
        """
        try:
            return cls(**{k: v for k, v in overrides.items() if v is not None})  # type: ignore[arg-type]  # checked by pydantic right here
        except ValidationError as error:
            raise _setup_error(error, "") from None


@cache
def _dotenv() -> dict[str, str]:
    return {k: v for k, v in dotenv_values(".env").items() if v is not None}


def _environment() -> dict[str, str]:
    return {**_dotenv(), **os.environ}


def _fault(message: str) -> PydanticCustomError:
    # The message goes in as a value: braces in it are no placeholders.
    return PydanticCustomError("setting", "{message}", {"message": message})


def _setup_error(error: ValidationError, prefix: str) -> SetupError:
    faults = []
    for fault in error.errors():
        name = "_".join(str(part) for part in fault["loc"])
        shown = "" if _HIDDEN.search(name) else f" (it is {fault['input']!r})"
        faults.append(FieldFault(f"{prefix}{name}".upper(), fault["msg"] + shown))
    return SetupError("A setting has a value that it does not take", errors=faults)
