"""Ids: UUIDs that sort by the time they were made (UUIDv7, RFC 9562)."""

from uuid import UUID

import uuid_utils
import uuid_utils.compat


def new_id() -> UUID:
    """A fresh UUIDv7; later ones sort after earlier ones of this process."""
    return uuid_utils.compat.uuid7()


def new_id_bytes() -> bytes:
    """As `new_id`, the 16 bytes of it: several times as cheap, for rows in bulk."""
    return uuid_utils.uuid7().bytes
