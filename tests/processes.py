"""Real processes of Assay, which a test may kill."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def assay(*arguments: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the command line, ended with the context."""
    with subprocess.Popen(
        [sys.executable, "-m", "assay.cli.main", *arguments],
        env={**os.environ, "LOG_LEVEL": "WARNING", **env},
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
