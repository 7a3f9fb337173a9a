"""Items as PostgreSQL takes them in bulk: the binary format of COPY."""

from struct import Struct
from uuid import UUID

import orjson

from assay.core.ids import new_id_bytes
from assay.playground.datasets.imports.draft import Draft

COLUMNS = (
    *("id", "dataset_id", "input", "expected_output", "assertions", "metadata"),
    *("created_in", "changed_in"),
)
HEAD = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TAIL = b"\xff\xff"

_NULL = b"\xff\xff\xff\xff"
_FORM = b"\x01"  # of jsonb: its text
_LENGTH = Struct("!i").pack
_COUNT = Struct("!h").pack


class Packer:
    """Writes new items of one dataset, all of one version of it."""

    def __init__(self, dataset_id: UUID, version: int) -> None:
        """Write what all rows have in common, once."""
        self._before_id = _COUNT(len(COLUMNS)) + _LENGTH(16)
        self._after_id = _LENGTH(16) + dataset_id.bytes
        number = _LENGTH(4) + version.to_bytes(4, "big")
        self._versions = number * 2

    def pack(self, draft: Draft) -> bytes:
        """The row of an item."""
        return b"".join(
            (
                self._before_id,
                new_id_bytes(),
                self._after_id,
                _field(draft.input),
                _NULL if draft.expected_output is None else _field(draft.expected_output),
                _NULL if draft.assertions is None else _field(draft.assertions),
                _NULL if draft.metadata is None else _field(draft.metadata),
                self._versions,
            )
        )


def _field(value: object) -> bytes:
    text = orjson.dumps(value)
    return _LENGTH(len(text) + 1) + _FORM + text
