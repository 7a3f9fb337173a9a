"""What this process knows of the stored credentials, kept up to date."""

import asyncio
from collections.abc import Callable

import structlog
from pydantic import SecretStr
from sqlalchemy import select

from assay.core.config import ProviderSettings, Settings
from assay.core.database import DATABASE_ERRORS, Database
from assay.core.errors import AssayError
from assay.core.listening import Listener
from assay.core.secrets import load_secret_key
from assay.gateway.credentials.models import ProviderCredential

log = structlog.get_logger(__name__)

CHANNEL = "assay_credentials"
"""Notified by the database when stored credentials change."""

RETRY_SECONDS = 0.5


class CredentialStore:
    """Completes what the environment says of a provider with what is stored.

    Attributes:
        on_change: called after stored credentials have changed.
    """

    def __init__(
        self, settings: Settings, database: Database, listener: Listener | None = None
    ) -> None:
        """Read from `database`; with a `listener`, again whenever they change."""
        self._settings = settings
        self._database = database
        self._stored: dict[str, tuple[SecretStr | None, str | None]] = {}
        self._listener = listener
        self._outdated = False
        self._reading: asyncio.Task[None] | None = None
        self.on_change: Callable[[], object] = lambda: None
        if listener is not None:
            listener.on(CHANNEL, self._changed)

    async def load(self) -> None:
        """Read all that is stored.

        Raises:
            SetupError: it was sealed with another SECRET_KEY.
        """
        async with self._database.session() as session:
            rows = (await session.scalars(select(ProviderCredential))).all()
        # Where nothing is stored no key is needed to open it.
        secret = load_secret_key(self._settings) if rows else None
        self._stored = {
            row.provider: (
                SecretStr(secret.open(row.api_key)) if secret and row.api_key else None,
                row.base_url,
            )
            for row in rows
        }
        self.on_change()

    def complete(self, given: ProviderSettings) -> ProviderSettings:
        """The settings of a provider, with what is stored where the environment has neither.

        Key and address go together: a key must not be sent to an address that somebody else set.
        """
        if given.api_key is not None or given.base_url is not None:
            return given
        key, base_url = self._stored.get(given.name, (None, None))
        return given.model_copy(update={"api_key": key, "base_url": base_url})

    @property
    def _connected(self) -> bool:
        return self._listener is not None and self._listener.connected

    def _changed(self) -> None:
        self._outdated = True
        # One reads at a time, so that an older answer never comes last.
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._load_again())

    async def _load_again(self) -> None:
        while self._outdated:
            self._outdated = False
            try:
                await self.load()
            except AssayError as error:
                log.error("stored credentials cannot be read, the old ones stay", error=str(error))
            except DATABASE_ERRORS as error:
                reason = str(error).split("\n", 1)[0]
                log.warning("stored credentials cannot be read yet", error=reason)
                await asyncio.sleep(RETRY_SECONDS)
                # While the listener is away it need not be tried: coming back, it calls again.
                self._outdated = self._outdated or self._connected
