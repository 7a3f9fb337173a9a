# Written by `make client` from assay/client/asynchronous/saving.py: change that.

"""Writes the body of an answer to a file, block by block."""

import hashlib

import httpx2

from assay.client.concurrency import BLOCK_BYTES, write
from assay.client.errors import BrokenDownload
from assay.client.payloads import Target, opened_to_write


def save(response: httpx2.Response, target: Target, *, sha256: str | None = None) -> None:
    """Write a body to a path, or into an open file.

    Args:
        response: its body is still to be read.
        target: where to; at a path there is in the end the whole file, or what was there before.
        sha256: what the bytes have to come to, in hexadecimal.

    Raises:
        BrokenDownload: they come to something else.
    """
    digest = hashlib.sha256()
    with opened_to_write(target) as file:
        for block in response.iter_bytes(BLOCK_BYTES):
            digest.update(block)
            write(file, block)
        if sha256 is not None and digest.hexdigest() != sha256:
            raise BrokenDownload(
                f"The bytes have the SHA-256 {digest.hexdigest()}, and not {sha256} as the server "
                "says"
            )
