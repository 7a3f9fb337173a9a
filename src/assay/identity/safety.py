"""What has to be there before a server listens to more than its own machine."""

from assay.core.addresses import is_loopback
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.errors import SetupError
from assay.identity.users.service import has_active_admin


async def require_safe_to_serve(settings: Settings, database: Database) -> None:
    """Refuse to be reached from elsewhere without a secret of one's own and somebody in charge.

    Raises:
        SetupError: saying which of both is missing and how to get it.
    """
    if is_loopback(settings.host):
        return
    missing = []
    if settings.secret_key is None:
        missing.append(
            "set SECRET_KEY to 32 or more random characters (`openssl rand -base64 48` makes "
            "some) and keep it"
        )
    async with database.session() as session:
        if not await has_active_admin(session):
            missing.append(
                "make an admin with `assay users create --role admin --email you@example.com`"
            )
    if missing:
        raise SetupError(
            f"HOST is {settings.host}, so others can reach this server. Before it starts, "
            f"{', and '.join(missing)}. On 127.0.0.1 it needs neither."
        )
