"""A scripted model server in a process of its own, so that it takes no time from what it tests."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin
from urllib.request import Request, urlopen

import orjson


@dataclass(frozen=True, slots=True)
class ScriptedProcess:
    """The running process.

    Attributes:
        base_url: what a client takes as its base URL.
        pid: of the process.
    """

    base_url: str
    pid: int

    def stats(self) -> dict[str, Any]:
        """The counters, by their names in `assay.testing.scripted_model.Counters`."""
        return self._ask("/stats", "GET")

    def reset(self) -> None:
        """Start counting anew."""
        self._ask("/stats/reset", "POST")

    def _ask(self, path: str, method: str) -> dict[str, Any]:
        request = Request(urljoin(self.base_url, path), method=method)  # noqa: S310  # our own URL
        with urlopen(request, timeout=10) as answer:  # noqa: S310  # our own URL
            counters: dict[str, Any] = orjson.loads(answer.read())
        return counters


def run_scripted_server(
    **options: float | str | bool,
) -> AbstractContextManager[ScriptedProcess]:
    """Run `python -m assay.testing.scripted_model` while the context lasts.

    Args:
        **options: its options with `_` for `-`, such as `latency=0.05, rate_429=0.05`; `True`
            for one that takes no value, such as `no_remember=True`.

    Raises:
        RuntimeError: the server did not start; its own message is on stderr.
    """
    return _run("assay.testing.scripted_model", options)


def run_load_server(latency: float) -> AbstractContextManager[ScriptedProcess]:
    """Run `python -m assay.testing.load_model` while the context lasts.

    Args:
        latency: seconds before each answer.

    Raises:
        RuntimeError: the server did not start; its own message is on stderr.
    """
    return _run("assay.testing.load_model", {"latency": latency})


@contextmanager
def _run(module: str, options: Mapping[str, float | str | bool]) -> Iterator[ScriptedProcess]:
    command = [sys.executable, "-m", module]
    for name, value in options.items():
        command.append(f"--{name.replace('_', '-')}")
        if value is not True:
            command.append(str(value))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own module, no shell
        try:
            base_url = process.stdout.readline().strip() if process.stdout else ""
            if not base_url:
                raise RuntimeError(f"the scripted server did not start: {' '.join(command)}")
            yield ScriptedProcess(base_url, process.pid)
        finally:
            process.kill()
